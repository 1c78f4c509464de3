-- One row per post; made by `make contracts`.
-- grain: one row, the rows looked at and those that fail
-- reads: {{ stage }}.geo
-- params: stage, run
-- table: geo
-- action: fail
-- rule: unique(ind)
SELECT
    COUNT(*) AS `rows`,
    COUNT(*) - COUNT(DISTINCT `ind`) AS failed
FROM {{ stage }}.`geo`
WHERE run = '{{ run }}'
