-- Most posted category of each country; a tie goes to the first name.
-- grain: one row per country
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=country y=category_count color=category
WITH counted AS (
    SELECT
        country,
        category,
        COUNT(DISTINCT ind) AS category_count
    FROM {{ gold }}.post_wide
    WHERE country IS NOT NULL AND category IS NOT NULL
    GROUP BY country, category
),

placed AS (
    SELECT
        country,
        category,
        category_count,
        ROW_NUMBER() OVER (PARTITION BY country ORDER BY category_count DESC, category ASC) AS place
    FROM counted
)

SELECT
    country,
    category,
    category_count
FROM placed
WHERE place = 1
