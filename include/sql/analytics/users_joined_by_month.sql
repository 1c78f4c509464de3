-- Users who joined in each month that has one, and how many there were by its end; a user counts once.
-- grain: one row per month with a user, named by its first day
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: line x=join_month y=number_users
WITH users AS (
    SELECT
        user_name,
        age,
        date_joined
    FROM {{ gold }}.post_wide
    WHERE date_joined IS NOT NULL
    GROUP BY user_name, age, date_joined
),

joined AS (
    SELECT
        CAST(DATE_TRUNC('MONTH', date_joined) AS DATE) AS join_month,
        COUNT(*) AS number_users_joined
    FROM users
    GROUP BY CAST(DATE_TRUNC('MONTH', date_joined) AS DATE)
)

SELECT
    join_month,
    number_users_joined,
    SUM(number_users_joined) OVER (ORDER BY join_month ASC) AS number_users
FROM joined
