-- Poster with the most followers of each country; all tied ones are kept.
-- grain: one row per country and tied poster
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: view
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
        RANK() OVER (PARTITION BY country ORDER BY follower_count DESC NULLS LAST) AS place
    FROM posters
)

SELECT
    country,
    poster_name,
    follower_count
FROM placed
WHERE place = 1
