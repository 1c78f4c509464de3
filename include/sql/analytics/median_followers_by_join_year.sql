-- Median followers of the users who joined in each year from 2015 to 2020; a user counts once.
-- grain: one row per year with a user
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=post_year y=median_follower_count
WITH users AS (
    SELECT
        user_name,
        age,
        date_joined,
        MAX(follower_count) AS follower_count
    FROM {{ gold }}.post_wide
    WHERE YEAR(date_joined) BETWEEN 2015 AND 2020
    GROUP BY user_name, age, date_joined
)

SELECT
    YEAR(date_joined) AS post_year,
    PERCENTILE(follower_count, 0.5) AS median_follower_count
FROM users
GROUP BY YEAR(date_joined)
