-- The posts of both layers: the batch layer's row of a post, else what the streams have brought of it.
-- grain: one row per post
-- reads: {{ gold }}.post_batch, {{ gold }}.post_speed
-- params: gold
CREATE OR REPLACE VIEW {{ gold }}.post_union AS
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
    'batch' AS layer
FROM {{ gold }}.post_batch
UNION ALL
SELECT
    speed.ind,
    speed.post_ts,
    speed.post_date,
    speed.category,
    speed.unique_id,
    speed.title,
    speed.description,
    speed.poster_name,
    speed.follower_count,
    speed.tag_list,
    speed.is_image_or_video,
    speed.image_src,
    speed.save_location,
    speed.country,
    speed.latitude,
    speed.longitude,
    speed.user_name,
    speed.age,
    speed.date_joined,
    'speed' AS layer
FROM {{ gold }}.post_speed AS speed
LEFT ANTI JOIN {{ gold }}.post_batch AS batch
    ON speed.ind = batch.ind
