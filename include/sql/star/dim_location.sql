-- Places posts were made at; NULLs are the place of posts without one.
-- grain: one row per country, latitude and longitude
-- reads: {{ silver }}.geo
-- params: silver
-- materialize: table
WITH locations AS (
    SELECT
        country,
        coordinates[0] + 0D AS latitude,
        coordinates[1] + 0D AS longitude
    FROM {{ silver }}.`geo`
    UNION DISTINCT
    SELECT
        CAST(NULL AS STRING) AS country,
        CAST(NULL AS DOUBLE) AS latitude,
        CAST(NULL AS DOUBLE) AS longitude
)

SELECT
    MD5(TO_JSON(NAMED_STRUCT('country', country, 'latitude', latitude, 'longitude', longitude))) AS location_key,
    country,
    latitude,
    longitude
FROM locations
