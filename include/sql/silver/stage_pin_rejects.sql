-- Refused pin lines awaiting their audit; made from include/contracts by `make contracts`.
-- grain: one row per refused line and run
-- reads: nothing
-- params: stage
CREATE TABLE IF NOT EXISTS {{ stage }}.`pin_rejects` (
    `source_table` STRING COMMENT 'Frame: pin, geo or user',
    `ind` INT COMMENT 'Id of the post; NULL when the line has none',
    `kind` STRING COMMENT 'own: a row with one of our ids; foreign: a line that is no row of ours',
    `columns` ARRAY<STRING> COMMENT 'Fields that a reason is about',
    `reasons` ARRAY<STRING> COMMENT 'Every reason of the row; personal values are masked',
    `raw` STRING COMMENT 'The line as it was read; base64:... when it is not UTF-8',
    `key` STRING COMMENT 'Object the line was read from',
    `line` INT COMMENT 'Line of the object, from 0',
    `doubles` INT COMMENT 'Copies of this post that were dropped',
    `foreign_doubles` INT COMMENT 'Copies of this post at offsets nobody acknowledged to us',
    `post_date` DATE COMMENT 'UTC date of the post',
    `run` STRING COMMENT 'Run that staged the row'
)
USING DELTA
COMMENT 'Refused pin lines awaiting their audit'
CLUSTER BY (run)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
