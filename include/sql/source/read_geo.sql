-- what: the place and time of every post, for one unbuffered scan that keeps the frozen ids
-- grain: one row per ind, in no order
-- reads: geolocation_data
-- params: none
SELECT
    ind,
    `timestamp`,
    latitude,
    longitude,
    country
FROM geolocation_data
