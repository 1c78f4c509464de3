-- Where and when it was pinned; made from include/contracts by `make contracts`.
-- grain: one row per post
-- reads: nothing
-- params: silver
CREATE TABLE IF NOT EXISTS {{ silver }}.`geo` (
    `ind` INT NOT NULL COMMENT 'Id of the post',
    `country` STRING COMMENT 'Country the post was made in',
    `coordinates` ARRAY<DOUBLE> COMMENT 'Latitude and longitude in degrees',
    `timestamp` TIMESTAMP NOT NULL COMMENT 'Time of the post, UTC',
    `post_date` DATE COMMENT 'UTC date of the post'
)
USING DELTA
COMMENT 'Where and when it was pinned'
CLUSTER BY (post_date)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
