-- Poster with the most followers of each country; a tie goes to the first name.
-- grain: one row per country
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=country y=follower_count
WITH posters AS (
    SELECT
        country,
        poster_name,
        MAX(follower_count) AS follower_count
    FROM {{ gold }}.post_wide
    WHERE country IS NOT NULL AND poster_name IS NOT NULL
    GROUP BY country, poster_name
),

placed AS (
    SELECT
        country,
        poster_name,
        follower_count,
        ROW_NUMBER() OVER (PARTITION BY country ORDER BY follower_count DESC NULLS LAST, poster_name ASC) AS place
    FROM posters
)

SELECT
    country,
    poster_name,
    follower_count
FROM placed
WHERE place = 1
