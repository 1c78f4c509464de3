-- Posts of each category on each UTC day that has one; a post without a time or a category is left out.
-- grain: one row per day and category
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=post_day y=post_count color=category
SELECT
    CAST(post_ts AS DATE) AS post_day,
    category,
    COUNT(DISTINCT ind) AS post_count
FROM {{ gold }}.post_wide
WHERE post_ts IS NOT NULL AND category IS NOT NULL
GROUP BY CAST(post_ts AS DATE), category
