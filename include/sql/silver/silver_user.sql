-- Who pinned it; made from include/contracts by `make contracts`.
-- grain: one row per post
-- reads: nothing
-- params: silver
CREATE TABLE IF NOT EXISTS {{ silver }}.`user` (
    `ind` INT NOT NULL COMMENT 'Id of the post',
    `user_name` STRING COMMENT 'First and last name',
    `age` INT COMMENT 'Age of the user in years',
    `date_joined` TIMESTAMP COMMENT 'When the account was opened, UTC',
    `post_date` DATE COMMENT 'UTC date of the post'
)
USING DELTA
COMMENT 'Who pinned it'
CLUSTER BY (post_date)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
