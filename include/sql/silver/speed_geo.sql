-- Clean geo rows of the stream; made from include/contracts by `make contracts`.
-- grain: one row per record; a post's newest row counts
-- reads: nothing
-- params: silver, user_id
CREATE TABLE IF NOT EXISTS {{ silver }}.`{{ user_id }}_geo_table` (
    `ind` INT NOT NULL COMMENT 'Id of the post',
    `country` STRING COMMENT 'Country the post was made in',
    `coordinates` ARRAY<DOUBLE> COMMENT 'Latitude and longitude in degrees',
    `timestamp` TIMESTAMP NOT NULL COMMENT 'Time of the post, UTC',
    `shard_id` STRING COMMENT 'Shard of the record',
    `sequence_number` STRING COMMENT 'Sequence number of the record; the longer, then greater one is newer',
    `arrived_at` TIMESTAMP COMMENT 'When the record reached the stream, UTC'
)
USING DELTA
COMMENT 'Clean geo rows of the stream'
CLUSTER BY (ind)
TBLPROPERTIES ('delta.checkpointInterval' = '100')
