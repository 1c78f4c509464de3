-- Most posted category of each year from 2018 to 2022; all tied ones are kept.
-- grain: one row per year and tied category
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: view
WITH counted AS (
    SELECT
        YEAR(post_ts) AS post_year,
        category,
        COUNT(DISTINCT ind) AS category_count
    FROM {{ gold }}.post_wide
    WHERE YEAR(post_ts) BETWEEN 2018 AND 2022 AND category IS NOT NULL
    GROUP BY YEAR(post_ts), category
),

placed AS (
    SELECT
        post_year,
        category,
        category_count,
        RANK() OVER (PARTITION BY post_year ORDER BY category_count DESC) AS place
    FROM counted
)

SELECT
    post_year,
    category,
    category_count
FROM placed
WHERE place = 1
