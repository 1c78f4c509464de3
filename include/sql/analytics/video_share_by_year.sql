-- Posts of each year and the share of them that are videos, of one or several parts; an unknown medium is left out.
-- grain: one row per year with a post
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=post_year y=video_share
SELECT
    YEAR(post_ts) AS post_year,
    COUNT(*) AS post_count,
    COUNT_IF(is_image_or_video IN ('video', 'multi-video(story page format)')) AS video_count,
    COUNT_IF(is_image_or_video IN ('video', 'multi-video(story page format)')) / COUNT(*) AS video_share
FROM {{ gold }}.post_wide
WHERE post_ts IS NOT NULL AND is_image_or_video IS NOT NULL
GROUP BY YEAR(post_ts)
