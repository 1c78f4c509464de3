-- Clean user rows awaiting their audit; made from include/contracts by `make contracts`.
-- grain: one row per post and run
-- reads: nothing
-- params: stage
CREATE TABLE IF NOT EXISTS {{ stage }}.`user` (
    `ind` INT NOT NULL COMMENT 'Id of the post',
    `user_name` STRING COMMENT 'First and last name',
    `age` INT COMMENT 'Age of the user in years',
    `date_joined` TIMESTAMP COMMENT 'When the account was opened, UTC',
    `post_date` DATE COMMENT 'UTC date of the post',
    `run` STRING COMMENT 'Run that staged the row',
    `doubles` INT COMMENT 'Copies of this post that were dropped',
    `foreign_doubles` INT COMMENT 'Copies of this post at offsets nobody acknowledged to us'
)
USING DELTA
COMMENT 'Clean user rows awaiting their audit'
CLUSTER BY (run)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
