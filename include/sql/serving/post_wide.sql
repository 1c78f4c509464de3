-- The one relation every question reads: pin, geo and user side by side; a post missing in a frame has NULLs there.
-- grain: one row per post
-- reads: {{ silver }}.pin, {{ silver }}.geo, {{ silver }}.user
-- params: silver, gold
CREATE OR REPLACE VIEW {{ gold }}.post_wide AS
SELECT
    COALESCE(pin.ind, geo.ind, users.ind) AS ind,
    geo.`timestamp` AS post_ts,
    COALESCE(geo.post_date, pin.post_date, users.post_date) AS post_date,
    pin.category,
    pin.unique_id,
    pin.title,
    pin.description,
    pin.poster_name,
    pin.follower_count,
    pin.tag_list,
    pin.is_image_or_video,
    pin.image_src,
    pin.save_location,
    geo.country,
    geo.coordinates[0] AS latitude,
    geo.coordinates[1] AS longitude,
    users.user_name,
    users.age,
    users.date_joined,
    'batch' AS layer
FROM {{ silver }}.`pin` AS pin
FULL OUTER JOIN {{ silver }}.`geo` AS geo
    ON pin.ind = geo.ind
FULL OUTER JOIN {{ silver }}.`user` AS users
    ON COALESCE(pin.ind, geo.ind) = users.ind
