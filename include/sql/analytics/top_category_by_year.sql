-- Most posted category of each year from 2018 to 2022; a tie goes to the first name.
-- grain: one row per year
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=post_year y=category_count color=category
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
        ROW_NUMBER() OVER (PARTITION BY post_year ORDER BY category_count DESC, category ASC) AS place
    FROM counted
)

SELECT
    post_year,
    category,
    category_count
FROM placed
WHERE place = 1
