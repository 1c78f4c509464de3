-- what: every post, for one unbuffered scan that keeps the frozen ids
-- grain: one row per index, in no order
-- reads: pinterest_data
-- params: none
SELECT
    `index`,
    unique_id,
    title,
    description,
    poster_name,
    follower_count,
    tag_list,
    is_image_or_video,
    image_src,
    downloaded,
    save_location,
    category
FROM pinterest_data
