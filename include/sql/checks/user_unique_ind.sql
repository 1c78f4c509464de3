-- One row per post; made by `make contracts`.
-- grain: one row, the rows looked at and those that fail
-- reads: {{ stage }}.user
-- params: stage, run
-- table: user
-- action: fail
-- rule: unique(ind)
SELECT
    COUNT(*) AS `rows`,
    COUNT(*) - COUNT(DISTINCT `ind`) AS failed
FROM {{ stage }}.`user`
WHERE run = '{{ run }}'
