-- what: the columns of the three source tables as this login may see them, to compare them with the contracts
-- grain: one row per column, in the order of the table
-- reads: information_schema.columns (a login sees the tables it may read)
-- params: pin, geo, user (names of the tables)
SELECT
    CAST(table_name AS CHAR) AS table_name,
    CAST(column_name AS CHAR) AS column_name,
    CAST(data_type AS CHAR) AS data_type,
    CAST(column_type AS CHAR) AS column_type
FROM information_schema.columns
WHERE
    table_schema = DATABASE()
    AND table_name IN (%(pin)s, %(geo)s, %(user)s)
ORDER BY
    table_name,
    ordinal_position
