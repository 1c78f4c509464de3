-- Published days that the source has changed since; made from include/contracts by `make contracts`.
-- grain: one row per stale day and table
-- reads: nothing
-- params: ops
CREATE TABLE IF NOT EXISTS {{ ops }}.`stale_days` (
    `post_date` DATE COMMENT 'UTC date of the post',
    `source_table` STRING COMMENT 'Frame: pin, geo or user',
    `inserted` BIGINT COMMENT 'Rows of the source that are not published',
    `changed` BIGINT COMMENT 'Rows whose content differs',
    `moved` BIGINT COMMENT 'Rows that left this day for another, or came from another',
    `deleted` BIGINT COMMENT 'Published rows that the source has no more',
    `source_rows` BIGINT COMMENT 'Rows of the day in the source',
    `silver_rows` BIGINT COMMENT 'Rows of the day in silver and, refused, in quarantine',
    `source_digest` DECIMAL(38, 0) COMMENT 'Sum of the hashes of the rows in the source',
    `silver_digest` DECIMAL(38, 0) COMMENT 'Sum of the hashes of the published rows'
)
USING DELTA
COMMENT 'Published days that the source has changed since'
CLUSTER BY (post_date)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
