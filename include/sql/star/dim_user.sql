-- Users; name, age and joining time identify one, and NULLs are the user of posts without one.
-- grain: one row per user
-- reads: {{ silver }}.user
-- params: silver
-- materialize: table
WITH users AS (
    SELECT
        user_name,
        age,
        date_joined
    FROM {{ silver }}.`user`
    UNION DISTINCT
    SELECT
        CAST(NULL AS STRING) AS user_name,
        CAST(NULL AS INT) AS age,
        CAST(NULL AS TIMESTAMP) AS date_joined
)

SELECT
    MD5(
        TO_JSON(NAMED_STRUCT('user_name', user_name, 'age', age, 'date_joined', UNIX_MICROS(date_joined)))
    ) AS user_key,
    user_name,
    age,
    date_joined
FROM users
