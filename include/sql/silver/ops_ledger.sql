-- Counts of every day; made from include/contracts by `make contracts`.
-- grain: one row per day and table
-- reads: nothing
-- params: ops
CREATE TABLE IF NOT EXISTS {{ ops }}.`ledger` (
    `post_date` DATE COMMENT 'UTC date of the post',
    `source_table` STRING COMMENT 'Frame: pin, geo or user',
    `selected` BIGINT COMMENT 'Posts selected in the source',
    `acknowledged` BIGINT COMMENT 'Posts the log acknowledged',
    `orphans` BIGINT COMMENT 'Posts selected that have no row in this table',
    `silver` BIGINT COMMENT 'Rows in silver',
    `quarantined` BIGINT COMMENT 'Own rows in quarantine',
    `doubles` BIGINT COMMENT 'Copies dropped',
    `foreign_doubles` BIGINT COMMENT 'Copies at offsets nobody acknowledged to us',
    `foreign` BIGINT COMMENT 'Lines in quarantine that are no row of ours; counted on the window\'s first day'
)
USING DELTA
COMMENT 'Counts of every day'
CLUSTER BY (post_date)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
