-- The one relation every question reads; what is not known of a post is NULL.
-- grain: one row per post
-- reads: {{ gold }}.post_batch, or {{ gold }}.post_union where the setting `serving` is lambda
-- params: gold, served, layer
CREATE OR REPLACE VIEW {{ gold }}.post_wide AS
SELECT
    ind,
    post_ts,
    post_date,
    category,
    unique_id,
    title,
    description,
    poster_name,
    follower_count,
    tag_list,
    is_image_or_video,
    image_src,
    save_location,
    country,
    latitude,
    longitude,
    user_name,
    age,
    date_joined,
    {{ layer }} AS layer
FROM {{ gold }}.{{ served }}
