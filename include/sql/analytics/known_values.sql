-- How complete and how fresh the data is: posts in which each field is known, and the newest day of them.
-- grain: one row per field, none without posts
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=field y=known_share
WITH known AS (
    SELECT
        post_ts,
        EXPLODE(
            MAP(
                'category', category IS NOT NULL,
                'poster_name', poster_name IS NOT NULL,
                'follower_count', follower_count IS NOT NULL,
                'is_image_or_video', is_image_or_video IS NOT NULL,
                'country', country IS NOT NULL,
                'post_ts', post_ts IS NOT NULL,
                'user_name', user_name IS NOT NULL,
                'age', age IS NOT NULL,
                'date_joined', date_joined IS NOT NULL
            )
        ) AS (field, is_known)
    FROM {{ gold }}.post_wide
)

SELECT
    field,
    COUNT(*) AS post_count,
    COUNT_IF(is_known) AS known_count,
    COUNT_IF(is_known) / COUNT(*) AS known_share,
    MAX(CASE WHEN is_known THEN CAST(post_ts AS DATE) END) AS newest_day
FROM known
GROUP BY field
