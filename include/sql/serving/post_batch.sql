-- The batch layer's posts with what their dimensions say; joined once, for every question reads it.
-- grain: one row per post
-- reads: {{ gold }}.fact_post and its dimensions
-- params: gold
-- materialize: table
SELECT
    post.ind,
    post.post_ts,
    post.post_date,
    categories.category,
    post.unique_id,
    post.title,
    post.description,
    posters.poster_name,
    post.follower_count,
    post.tag_list,
    post.is_image_or_video,
    post.image_src,
    post.save_location,
    places.country,
    places.latitude,
    places.longitude,
    users.user_name,
    users.age,
    users.date_joined
FROM {{ gold }}.fact_post AS post
LEFT JOIN {{ gold }}.dim_category AS categories
    ON post.category_key = categories.category_key
LEFT JOIN {{ gold }}.dim_poster AS posters
    ON post.poster_key = posters.poster_key AND posters.valid_to IS NULL
LEFT JOIN {{ gold }}.dim_location AS places
    ON post.location_key = places.location_key
LEFT JOIN {{ gold }}.dim_user AS users
    ON post.user_key = users.user_key
