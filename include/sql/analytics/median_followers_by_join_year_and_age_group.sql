-- Median followers by joining year (2015 to 2020) and age group; a user counts once.
-- grain: one row per age group and year with a user
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: grouped x=post_year y=median_follower_count color=age_group
WITH users AS (
    SELECT
        user_name,
        age,
        date_joined,
        MAX(follower_count) AS follower_count
    FROM {{ gold }}.post_wide
    WHERE YEAR(date_joined) BETWEEN 2015 AND 2020
    GROUP BY user_name, age, date_joined
),

grouped AS (
    SELECT
        YEAR(date_joined) AS post_year,
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
    post_year,
    PERCENTILE(follower_count, 0.5) AS median_follower_count
FROM grouped
WHERE age_group IS NOT NULL
GROUP BY age_group, post_year
