-- Of twenty posts or more nine in ten say title, poster and category: a page that changed gives markers everywhere.
-- grain: one row, the rows looked at and, when they are too many, those that lack one of the three
-- reads: {{ stage }}.pin
-- params: stage, run
-- table: pin
-- action: warn
-- rule: complete
WITH counted AS (
    SELECT
        COUNT(*) AS posts,
        COUNT_IF(title IS NULL OR poster_name IS NULL OR category IS NULL) AS lacking
    FROM {{ stage }}.`pin`
    WHERE run = '{{ run }}'
)

SELECT
    posts AS `rows`,
    CASE WHEN posts >= 20 AND lacking * 10 > posts THEN lacking ELSE 0 END AS failed
FROM counted
