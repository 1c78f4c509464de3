-- The lake in numbers
-- grain: one row
-- reads: {{ gold }}.post_wide, {{ ops }}.ledger
-- params: gold, ops, days
WITH lake AS (
    SELECT
        COUNT(DISTINCT ind) AS posts,
        COUNT(DISTINCT STRUCT(user_name, age, date_joined)) AS users,
        COUNT(DISTINCT poster_name) AS posters,
        COUNT(DISTINCT country) AS countries,
        MAX(post_ts) AS newest_post
    FROM {{ gold }}.post_wide
),

loaded AS (
    SELECT
        COUNT(DISTINCT post_date) AS days_loaded,
        COALESCE(SUM(CASE WHEN source_table = 'geo' AND {{ days }} THEN selected END), 0) AS posts_in_window,
        COALESCE(SUM(CASE WHEN {{ days }} THEN quarantined END), 0) AS quarantined_in_window
    FROM {{ ops }}.ledger
)

SELECT
    lake.posts,
    lake.users,
    lake.posters,
    lake.countries,
    lake.newest_post,
    loaded.days_loaded,
    loaded.posts_in_window,
    loaded.quarantined_in_window
FROM lake
CROSS JOIN loaded
