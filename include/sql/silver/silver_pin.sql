-- What was pinned; made from include/contracts by `make contracts`.
-- grain: one row per post
-- reads: nothing
-- params: silver
CREATE TABLE IF NOT EXISTS {{ silver }}.`pin` (
    `ind` INT NOT NULL COMMENT 'Id of the post',
    `unique_id` STRING COMMENT 'UUID of the post',
    `title` STRING COMMENT 'Title of the post',
    `description` STRING COMMENT 'Description of the post',
    `follower_count` BIGINT COMMENT 'Followers of the poster when the post was read',
    `poster_name` STRING COMMENT 'Name of the account that posted',
    `tag_list` STRING COMMENT 'Tags joined by a comma',
    `is_image_or_video` STRING COMMENT 'image, video or multi-video(story page format)',
    `image_src` STRING COMMENT 'Address of the image',
    `save_location` STRING COMMENT 'Folder the image was saved in',
    `category` STRING COMMENT 'Category of the post',
    `post_date` DATE COMMENT 'UTC date of the post'
)
USING DELTA
COMMENT 'What was pinned'
CLUSTER BY (post_date)
TBLPROPERTIES ('delta.autoOptimize.autoCompact' = 'true')
