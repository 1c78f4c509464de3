-- What the audit of this run found, broken rules first
-- grain: one row per table and rule
-- reads: {{ ops }}.quality_results
-- params: ops, run
SELECT
    source_table,
    rule,
    action,
    rows,
    failed,
    detail
FROM {{ ops }}.quality_results
WHERE run = '{{ run }}'
ORDER BY failed = 0, source_table, rule
