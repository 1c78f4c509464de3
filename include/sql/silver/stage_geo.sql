-- Clean geo rows awaiting their audit; made from include/contracts by `make contracts`.
-- grain: one row per post and run
-- reads: nothing
-- params: stage
CREATE TABLE IF NOT EXISTS {{ stage }}.`geo` (
    `ind` INT NOT NULL COMMENT 'Id of the post',
    `country` STRING COMMENT 'Country the post was made in',
    `coordinates` ARRAY<DOUBLE> COMMENT 'Latitude and longitude in degrees',
    `timestamp` TIMESTAMP NOT NULL COMMENT 'Time of the post, UTC',
    `post_date` DATE COMMENT 'UTC date of the post',
    `run` STRING COMMENT 'Run that staged the row',
    `doubles` INT COMMENT 'Copies of this post that were dropped',
    `foreign_doubles` INT COMMENT 'Copies of this post at offsets nobody acknowledged to us'
)
USING DELTA
COMMENT 'Clean geo rows awaiting their audit'
CLUSTER BY (run)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
