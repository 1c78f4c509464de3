-- Clean pin rows of the stream; made from include/contracts by `make contracts`.
-- grain: one row per record; a post's newest row counts
-- reads: nothing
-- params: silver, user_id
CREATE TABLE IF NOT EXISTS {{ silver }}.`{{ user_id }}_pin_table` (
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
    `shard_id` STRING COMMENT 'Shard of the record',
    `sequence_number` STRING COMMENT 'Sequence number of the record; the longer, then greater one is newer',
    `arrived_at` TIMESTAMP COMMENT 'When the record reached the stream, UTC'
)
USING DELTA
COMMENT 'Clean pin rows of the stream'
CLUSTER BY (ind)
TBLPROPERTIES ('delta.checkpointInterval' = '100')
