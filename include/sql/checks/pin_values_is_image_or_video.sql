-- is_image_or_video is one of image, video, multi-video(story page format); made by `make contracts`.
-- grain: one row, the rows looked at and those that fail
-- reads: {{ stage }}.pin
-- params: stage, run
-- table: pin
-- action: warn
-- rule: values(is_image_or_video)
SELECT
    COUNT(*) AS `rows`,
    COUNT_IF(
        `is_image_or_video` NOT IN (
            'image',
            'video',
            'multi-video(story page format)'
        )
    ) AS failed
FROM {{ stage }}.`pin`
WHERE run = '{{ run }}'
