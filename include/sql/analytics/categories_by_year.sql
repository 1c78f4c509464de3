-- Posts of each category in each year from 2018 to 2022.
-- grain: one row per year and category
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: heat x=post_year y=category color=category_count
SELECT
    YEAR(post_ts) AS post_year,
    category,
    COUNT(DISTINCT ind) AS category_count
FROM {{ gold }}.post_wide
WHERE YEAR(post_ts) BETWEEN 2018 AND 2022 AND category IS NOT NULL
GROUP BY YEAR(post_ts), category
