-- The speed layer's posts: of each frame the newest row of a post, whatever order the streams delivered.
-- grain: one row per post
-- reads: {{ silver }}.<user_id>_pin_table, <user_id>_geo_table and <user_id>_user_table
-- params: gold, silver, user_id
CREATE OR REPLACE VIEW {{ gold }}.post_speed AS
WITH pin AS (
    SELECT
        ind,
        MAX_BY(
            STRUCT(
                unique_id,
                title,
                description,
                follower_count,
                poster_name,
                tag_list,
                is_image_or_video,
                image_src,
                save_location,
                category
            ),
            STRUCT(LENGTH(sequence_number), sequence_number)
        ) AS newest
    FROM {{ silver }}.`{{ user_id }}_pin_table`
    GROUP BY ind
),

geo AS (
    SELECT
        ind,
        MAX_BY(
            STRUCT(country, coordinates, `timestamp`),
            STRUCT(LENGTH(sequence_number), sequence_number)
        ) AS newest
    FROM {{ silver }}.`{{ user_id }}_geo_table`
    GROUP BY ind
),

users AS (
    SELECT
        ind,
        MAX_BY(
            STRUCT(user_name, age, date_joined), STRUCT(LENGTH(sequence_number), sequence_number)
        ) AS newest
    FROM {{ silver }}.`{{ user_id }}_user_table`
    GROUP BY ind
)

SELECT
    COALESCE(pin.ind, geo.ind, users.ind) AS ind,
    geo.newest.`timestamp` AS post_ts,
    CAST(geo.newest.`timestamp` AS DATE) AS post_date,
    pin.newest.category,
    pin.newest.unique_id,
    pin.newest.title,
    pin.newest.description,
    pin.newest.poster_name,
    pin.newest.follower_count,
    pin.newest.tag_list,
    pin.newest.is_image_or_video,
    pin.newest.image_src,
    pin.newest.save_location,
    geo.newest.country,
    geo.newest.coordinates[0] AS latitude,
    geo.newest.coordinates[1] AS longitude,
    users.newest.user_name,
    users.newest.age,
    users.newest.date_joined
FROM pin
FULL OUTER JOIN geo
    ON pin.ind = geo.ind
FULL OUTER JOIN users
    ON COALESCE(pin.ind, geo.ind) = users.ind
