-- Every post with what was measured of it and the keys of its dimensions; texts of the post itself stay with it.
-- grain: one row per post
-- reads: {{ silver }}.pin, {{ silver }}.geo, {{ silver }}.user
-- params: silver
-- materialize: table
SELECT
    COALESCE(pin.ind, geo.ind, users.ind) AS ind,
    geo.`timestamp` AS post_ts,
    COALESCE(geo.post_date, pin.post_date, users.post_date) AS post_date,
    MD5(TO_JSON(NAMED_STRUCT('category', pin.category))) AS category_key,
    MD5(TO_JSON(NAMED_STRUCT('poster_name', pin.poster_name))) AS poster_key,
    MD5(
        TO_JSON(
            NAMED_STRUCT(
                'country', geo.country,
                'latitude', geo.coordinates[0] + 0D,  -- one zero: -0 is a place of its own in JSON only
                'longitude', geo.coordinates[1] + 0D
            )
        )
    ) AS location_key,
    MD5(
        TO_JSON(
            NAMED_STRUCT(
                'user_name', users.user_name, 'age', users.age, 'date_joined', UNIX_MICROS(users.date_joined)
            )
        )
    ) AS user_key,
    pin.follower_count,
    pin.unique_id,
    pin.title,
    pin.description,
    pin.tag_list,
    pin.is_image_or_video,
    pin.image_src,
    pin.save_location
FROM {{ silver }}.`pin` AS pin
FULL OUTER JOIN {{ silver }}.`geo` AS geo
    ON pin.ind = geo.ind
FULL OUTER JOIN {{ silver }}.`user` AS users
    ON COALESCE(pin.ind, geo.ind) = users.ind
