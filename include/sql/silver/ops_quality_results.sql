-- Results of the audit; made from include/contracts by `make contracts`.
-- grain: one row per run, table and rule
-- reads: nothing
-- params: ops
CREATE TABLE IF NOT EXISTS {{ ops }}.`quality_results` (
    `run` STRING COMMENT 'Run that was audited',
    `window_start` TIMESTAMP COMMENT 'Start of the window',
    `window_end` TIMESTAMP COMMENT 'End of the window, excluded',
    `source_table` STRING COMMENT 'Frame: pin, geo or user',
    `rule` STRING COMMENT 'Rule of the contract or of include/sql/checks',
    `action` STRING COMMENT 'fail stops the run, quarantine keeps the row out of it, warn is written down',
    `rows` BIGINT COMMENT 'Rows looked at',
    `failed` BIGINT COMMENT 'Rows that break the rule',
    `detail` STRING COMMENT 'What was found, and what the rule wants'
)
USING DELTA
COMMENT 'Results of the audit'
CLUSTER BY (run)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
