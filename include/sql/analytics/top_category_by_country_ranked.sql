-- Most posted category of each country; all tied ones are kept.
-- grain: one row per country and tied category
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: view
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
        RANK() OVER (PARTITION BY country ORDER BY category_count DESC) AS place
    FROM counted
)

SELECT
    country,
    category,
    category_count
FROM placed
WHERE place = 1
