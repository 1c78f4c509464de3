from pyspark.sql import SparkSession

from tests.include.conftest import SQL, Lake

FRAMES = {
    "pin": "SELECT 1 AS ind, 'art' AS category, DATE'2020-01-01' AS post_date UNION ALL SELECT 2, 'quotes', DATE'2020-01-02'",
    "geo": (
        "SELECT 1 AS ind, 'Cuba' AS country, array(1.5D, -2.5D) AS coordinates, TIMESTAMP'2020-01-01 10:00:00' AS `timestamp`, "
        "DATE'2020-01-01' AS post_date UNION ALL SELECT 3, 'Chile', NULL, TIMESTAMP'2020-01-03 00:00:00', DATE'2020-01-03'"
    ),
    "user": (
        "SELECT 1 AS ind, 'Ann Lee' AS user_name, 20 AS age, DATE'2020-01-01' AS post_date "
        "UNION ALL SELECT 3, 'Bob Roe', 30, DATE'2020-01-03' UNION ALL SELECT 4, 'Cy Poe', 40, DATE'2020-01-04'"
    ),
}


def test_a_post_is_one_row_also_when_frames_lack_it(spark: SparkSession, lake: Lake) -> None:
    select = lake.render(SQL / "serving" / "post_wide.sql").split(" AS\n", 1)[1]
    for frame, rows in FRAMES.items():
        columns = set(spark.table(f"{lake.silver}.`{frame}`").columns)
        given = spark.sql(rows)
        missing = [f"NULL AS `{name}`" for name in sorted(columns - set(given.columns))]
        given.selectExpr("*", *missing).createOrReplaceTempView(f"wide_{frame}")
        select = select.replace(f"{lake.silver}.`{frame}`", f"wide_{frame}")
    rows = {row.ind: row for row in spark.sql(select).collect()}
    assert sorted(rows) == [1, 2, 3, 4]
    one = rows[1]
    assert [one.category, one.country, one.latitude, one.longitude, one.user_name, one.layer] == [
        "art",
        "Cuba",
        1.5,
        -2.5,
        "Ann Lee",
        "batch",
    ]
    assert [str(rows[ind].post_date) for ind in (1, 2, 3, 4)] == [f"2020-01-0{ind}" for ind in (1, 2, 3, 4)]
    assert [rows[2].country, rows[3].category, rows[3].latitude, rows[4].post_ts] == [None] * 4
