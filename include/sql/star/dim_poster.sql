-- Posters and their followers over time; of several counts at one moment the post with the highest id says it.
-- grain: one row per poster and span of equal follower count
-- reads: {{ silver }}.pin, {{ silver }}.geo
-- params: silver
-- materialize: table
WITH measured AS (
    SELECT
        pin.poster_name,
        COALESCE(geo.`timestamp`, CAST(pin.post_date AS TIMESTAMP)) AS measured_at,
        MAX_BY(pin.follower_count, pin.ind) FILTER (WHERE pin.follower_count IS NOT NULL) AS follower_count
    FROM {{ silver }}.`pin` AS pin
    LEFT JOIN {{ silver }}.`geo` AS geo
        ON pin.ind = geo.ind
    WHERE pin.poster_name IS NOT NULL
    GROUP BY pin.poster_name, COALESCE(geo.`timestamp`, CAST(pin.post_date AS TIMESTAMP))
),

known AS (
    SELECT
        poster_name,
        measured_at,
        LAST_VALUE(follower_count, TRUE) OVER (PARTITION BY poster_name ORDER BY measured_at) AS follower_count
    FROM measured
),

compared AS (
    SELECT
        poster_name,
        measured_at,
        follower_count,
        LAG(follower_count) OVER (PARTITION BY poster_name ORDER BY measured_at) AS before,
        ROW_NUMBER() OVER (PARTITION BY poster_name ORDER BY measured_at) AS place
    FROM known
),

spans AS (
    SELECT
        poster_name,
        follower_count,
        measured_at AS valid_from,
        LEAD(measured_at) OVER (PARTITION BY poster_name ORDER BY measured_at) AS valid_to
    FROM compared
    WHERE place = 1 OR follower_count IS DISTINCT FROM before
    UNION ALL
    SELECT
        CAST(NULL AS STRING) AS poster_name,
        CAST(NULL AS BIGINT) AS follower_count,
        CAST(NULL AS TIMESTAMP) AS valid_from,
        CAST(NULL AS TIMESTAMP) AS valid_to
)

SELECT
    MD5(TO_JSON(NAMED_STRUCT('poster_name', poster_name))) AS poster_key,
    poster_name,
    follower_count,
    valid_from,
    valid_to
FROM spans
