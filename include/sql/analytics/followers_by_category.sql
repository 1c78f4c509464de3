-- Users of each category by their followers: the most that any of their posts in it shows; unknown are left out.
-- grain: one row per category and band of followers with a user
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: heat x=follower_band y=category color=number_users
WITH users AS (
    SELECT
        category,
        user_name,
        age,
        date_joined,
        MAX(follower_count) AS follower_count
    FROM {{ gold }}.post_wide
    WHERE category IS NOT NULL AND follower_count IS NOT NULL
    GROUP BY category, user_name, age, date_joined
),

banded AS (
    SELECT
        category,
        CASE
            WHEN follower_count < 1000 THEN '0-999'
            WHEN follower_count < 10000 THEN '1k-9k'
            WHEN follower_count < 100000 THEN '10k-99k'
            WHEN follower_count < 1000000 THEN '100k-999k'
            ELSE '1M+'
        END AS follower_band
    FROM users
)

SELECT
    category,
    follower_band,
    COUNT(*) AS number_users
FROM banded
GROUP BY category, follower_band
