-- what: the posts of a window and their times; an id held twice belongs to the day of its latest time
-- grain: one row per ind, ordered by post_ts, ind
-- reads: geolocation_data (a full scan: no index may be assumed)
-- params: window_start, window_end (UTC DATETIME; the end is excluded)
WITH posts AS (
    SELECT
        ind,
        MAX(`timestamp`) AS post_ts
    FROM geolocation_data
    GROUP BY ind
)

SELECT
    ind,
    post_ts
FROM posts
WHERE post_ts >= %(window_start)s
    AND post_ts < %(window_end)s
ORDER BY
    post_ts,
    ind
