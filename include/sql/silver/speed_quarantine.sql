-- Refused records of the streams; made from include/contracts by `make contracts`.
-- grain: one row per record
-- reads: nothing
-- params: silver, user_id
CREATE TABLE IF NOT EXISTS {{ silver }}.`{{ user_id }}_quarantine` (
    `source_table` STRING COMMENT 'Frame: pin, geo or user',
    `ind` INT COMMENT 'Id of the post; NULL when the line has none',
    `kind` STRING COMMENT 'own: a row with one of our ids; foreign: a line that is no row of ours',
    `columns` ARRAY<STRING> COMMENT 'Fields that a reason is about',
    `reasons` ARRAY<STRING> COMMENT 'Every reason of the row; personal values are masked',
    `raw` STRING COMMENT 'The line as it was read; base64:... when it is not UTF-8',
    `shard_id` STRING COMMENT 'Shard of the record',
    `sequence_number` STRING COMMENT 'Sequence number of the record; the longer, then greater one is newer',
    `arrived_at` TIMESTAMP COMMENT 'When the record reached the stream, UTC'
)
USING DELTA
COMMENT 'Refused records of the streams'
CLUSTER BY (ind)
TBLPROPERTIES ('delta.checkpointInterval' = '100')
