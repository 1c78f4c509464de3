-- Most posted category of each age group; a tie goes to the first name; 50+ means over 50.
-- grain: one row per age group
-- reads: {{ gold }}.post_wide
-- params: gold
-- materialize: table
-- chart: bar x=age_group y=category_count color=category
WITH grouped AS (
    SELECT
        ind,
        category,
        CASE
            WHEN age BETWEEN 18 AND 24 THEN '18-24'
            WHEN age BETWEEN 25 AND 35 THEN '25-35'
            WHEN age BETWEEN 36 AND 50 THEN '36-50'
            WHEN age > 50 THEN '50+'
        END AS age_group
    FROM {{ gold }}.post_wide
    WHERE category IS NOT NULL
),

counted AS (
    SELECT
        age_group,
        category,
        COUNT(DISTINCT ind) AS category_count
    FROM grouped
    WHERE age_group IS NOT NULL
    GROUP BY age_group, category
),

placed AS (
    SELECT
        age_group,
        category,
        category_count,
        ROW_NUMBER() OVER (PARTITION BY age_group ORDER BY category_count DESC, category ASC) AS place
    FROM counted
)

SELECT
    age_group,
    category,
    category_count
FROM placed
WHERE place = 1
