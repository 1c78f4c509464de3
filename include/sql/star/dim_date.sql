-- Days of the calendar, UTC: all from the first post to the last, and those on which users joined.
-- grain: one row per day
-- reads: {{ silver }}.pin, {{ silver }}.geo, {{ silver }}.user
-- params: silver
-- materialize: table
WITH posted AS (
    SELECT post_date FROM {{ silver }}.`pin`
    UNION ALL
    SELECT post_date FROM {{ silver }}.`geo`
    UNION ALL
    SELECT post_date FROM {{ silver }}.`user`
),

days AS (
    SELECT EXPLODE(SEQUENCE(MIN(post_date), MAX(post_date))) AS calendar_date FROM posted
    UNION DISTINCT
    SELECT CAST(date_joined AS DATE) AS calendar_date FROM {{ silver }}.`user`
)

SELECT
    calendar_date,
    YEAR(calendar_date) AS calendar_year,
    QUARTER(calendar_date) AS calendar_quarter,
    MONTH(calendar_date) AS calendar_month,
    DAY(calendar_date) AS day_of_month,
    WEEKDAY(calendar_date) + 1 AS iso_day_of_week,
    WEEKOFYEAR(calendar_date) AS iso_week,
    WEEKDAY(calendar_date) >= 5 AS is_weekend
FROM days
WHERE calendar_date IS NOT NULL
