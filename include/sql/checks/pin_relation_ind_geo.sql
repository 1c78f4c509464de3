-- Every pin row has its geo row or that one is in quarantine; made by `make contracts`.
-- grain: one row, the rows looked at and those that fail
-- reads: {{ stage }}.pin, {{ stage }}.geo, {{ stage }}.geo_rejects
-- params: stage, run
-- table: pin
-- action: warn
-- rule: relation(ind to geo)
WITH partners AS (
    SELECT DISTINCT
        `ind`,
        TRUE AS found
    FROM {{ stage }}.`geo`
    WHERE run = '{{ run }}'
),

refused AS (
    SELECT DISTINCT ind
    FROM {{ stage }}.`geo_rejects`
    WHERE run = '{{ run }}' AND kind = 'own'
)

SELECT
    COUNT(*) AS `rows`,
    COUNT_IF(partners.found IS NULL AND refused.ind IS NULL AND own.`ind` IS NOT NULL) AS failed
FROM {{ stage }}.`pin` AS own
LEFT JOIN partners
    ON own.`ind` = partners.`ind`
LEFT JOIN refused
    ON own.ind = refused.ind
WHERE own.run = '{{ run }}'
