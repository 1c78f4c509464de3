-- Categories of posts; NULL is the category of posts without one.
-- grain: one row per category
-- reads: {{ silver }}.pin
-- params: silver
-- materialize: table
WITH categories AS (
    SELECT category FROM {{ silver }}.`pin`
    UNION DISTINCT
    SELECT CAST(NULL AS STRING) AS category
)

SELECT
    MD5(TO_JSON(NAMED_STRUCT('category', category))) AS category_key,
    category
FROM categories
