-- Median followers of the users of each age group; a user is name, age and joining time, and counts once.
-- grain: one row per age group
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=age_group y=median_follower_count
WITH users AS (
    SELECT
        user_name,
        age,
        date_joined,
        MAX(follower_count) AS follower_count
    FROM {{ gold }}.post_wide
    GROUP BY user_name, age, date_joined
),

grouped AS (
    SELECT
        follower_count,
        CASE
            WHEN age BETWEEN 18 AND 24 THEN '18-24'
            WHEN age BETWEEN 25 AND 35 THEN '25-35'
            WHEN age BETWEEN 36 AND 50 THEN '36-50'
            WHEN age > 50 THEN '50+'
        END AS age_group
    FROM users
)

SELECT
    age_group,
    PERCENTILE(follower_count, 0.5) AS median_follower_count
FROM grouped
WHERE age_group IS NOT NULL
GROUP BY age_group
