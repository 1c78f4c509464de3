-- what: the time of the newest post, which tells how far the source has come
-- grain: one row; NULL when the table is empty
-- reads: geolocation_data (a full scan: no index may be assumed)
-- params: none
SELECT MAX(`timestamp`) AS newest_post
FROM geolocation_data
