-- Some refused lines of the window; personal fields, and those no contract knows, are shown as ***
-- grain: one row per line
-- reads: {{ silver }}.quarantine
-- params: silver, days
SELECT
    source_table,
    ind,
    kind,
    reasons,
    raw
FROM {{ silver }}.quarantine
WHERE {{ days }}
ORDER BY source_table, ind, key, line
LIMIT 20
