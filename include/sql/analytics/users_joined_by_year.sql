-- Users who joined in each year from 2015 to 2020; a user is name, age and joining time, and counts once.
-- grain: one row per year with a user
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=post_year y=number_users_joined
WITH users AS (
    SELECT
        user_name,
        age,
        date_joined
    FROM {{ gold }}.post_wide
    WHERE YEAR(date_joined) BETWEEN 2015 AND 2020
    GROUP BY user_name, age, date_joined
)

SELECT
    YEAR(date_joined) AS post_year,
    COUNT(*) AS number_users_joined
FROM users
GROUP BY YEAR(date_joined)
