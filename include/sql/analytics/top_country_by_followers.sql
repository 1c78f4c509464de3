-- The country with the poster who has the most followers; a tie goes to the first country.
-- grain: one row
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=country y=follower_count
WITH countries AS (
    SELECT
        country,
        MAX(follower_count) AS follower_count
    FROM {{ gold }}.post_wide
    WHERE country IS NOT NULL AND poster_name IS NOT NULL
    GROUP BY country
)

SELECT
    country,
    follower_count
FROM countries
ORDER BY follower_count DESC NULLS LAST, country ASC
LIMIT 1
