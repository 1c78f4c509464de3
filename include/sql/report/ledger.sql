-- Where the posts of the window are: acknowledged = silver + quarantined
-- grain: one row per table
-- reads: {{ ops }}.ledger
-- params: ops, days
SELECT
    source_table,
    COUNT(*) AS days,
    SUM(selected) AS selected,
    SUM(acknowledged) AS acknowledged,
    SUM(silver) AS silver,
    SUM(quarantined) AS quarantined,
    SUM(orphans) AS orphans,
    SUM(doubles) AS doubles,
    SUM(foreign_doubles) AS foreign_doubles,
    SUM(foreign) AS foreign_lines
FROM {{ ops }}.ledger
WHERE {{ days }}
GROUP BY source_table
ORDER BY source_table
