-- Nobody posted before joining: the two times stand in two frames.
-- grain: one row, the rows looked at and those that fail
-- reads: {{ stage }}.user, {{ stage }}.geo
-- params: stage, run
-- table: user
-- action: warn
-- rule: joined_before_posting
SELECT
    COUNT(*) AS `rows`,
    COUNT_IF(users.date_joined > geo.`timestamp`) AS failed
FROM {{ stage }}.`user` AS users
INNER JOIN {{ stage }}.`geo` AS geo
    ON users.ind = geo.ind AND geo.run = '{{ run }}'
WHERE users.run = '{{ run }}'
