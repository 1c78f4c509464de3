-- what: every post and its time, for a comparison with what is published; an id held twice is of its latest time
-- grain: one row per ind, in no order
-- reads: geolocation_data (a full scan: no index may be assumed)
-- params: none
SELECT
    ind,
    MAX(`timestamp`) AS post_ts
FROM geolocation_data
GROUP BY ind
