"""The questions in PySpark: each function takes `post_wide`, a row a post, and gives what its SQL file gives.

A user is name, age and joining time, and counts once, with the most followers any post shows. Medians are
exact. Years are those of the session's time zone, so ask in UTC: `pinspark.session.session()` sets it.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

POST_YEARS = (2018, 2022)
JOIN_YEARS = (2015, 2020)
BANDS = ((1_000, "0-999"), (10_000, "1k-9k"), (100_000, "10k-99k"), (1_000_000, "100k-999k"))
VIDEOS = ("video", "multi-video(story page format)")
FIELDS = (
    *("category", "poster_name", "follower_count", "is_image_or_video", "country"),
    *("post_ts", "user_name", "age", "date_joined"),
)


def top_category_by_country(post_wide: DataFrame, *, keep_ties: bool = False) -> DataFrame:
    """Most posted category of each country; a tie goes to the first name."""
    counted = _count_categories(post_wide, "country")
    return _top(counted, "country", "category_count", "category", keep_ties)


def top_category_by_country_ranked(post_wide: DataFrame) -> DataFrame:
    """Most posted category of each country; all tied ones are kept."""
    return top_category_by_country(post_wide, keep_ties=True)


def categories_by_year(post_wide: DataFrame) -> DataFrame:
    """Posts of each category in each year from 2018 to 2022."""
    dated = post_wide.withColumn("post_year", F.year("post_ts"))
    return _count_categories(dated.where(F.col("post_year").between(*POST_YEARS)), "post_year")


def top_category_by_year(post_wide: DataFrame, *, keep_ties: bool = False) -> DataFrame:
    """Most posted category of each year from 2018 to 2022; a tie goes to the first name."""
    return _top(categories_by_year(post_wide), "post_year", "category_count", "category", keep_ties)


def top_category_by_year_ranked(post_wide: DataFrame) -> DataFrame:
    """Most posted category of each year from 2018 to 2022; all tied ones are kept."""
    return top_category_by_year(post_wide, keep_ties=True)


def top_category_by_age_group(post_wide: DataFrame, *, keep_ties: bool = False) -> DataFrame:
    """Most posted category of each age group; a tie goes to the first name; 50+ means over 50."""
    counted = _count_categories(with_age_group(post_wide), "age_group")
    return _top(counted, "age_group", "category_count", "category", keep_ties)


def top_category_by_age_group_ranked(post_wide: DataFrame) -> DataFrame:
    """Most posted category of each age group; all tied ones are kept; 50+ means over 50."""
    return top_category_by_age_group(post_wide, keep_ties=True)


def top_user_by_country(post_wide: DataFrame, *, keep_ties: bool = False) -> DataFrame:
    """Poster with the most followers of each country; a tie goes to the first name; unknown counts last."""
    posters = (
        post_wide.dropna(subset=["country", "poster_name"])
        .groupBy("country", "poster_name")
        .agg(F.max("follower_count").alias("follower_count"))
    )
    return _top(posters, "country", "follower_count", "poster_name", keep_ties)


def top_user_by_country_ranked(post_wide: DataFrame) -> DataFrame:
    """Poster with the most followers of each country; all tied ones are kept."""
    return top_user_by_country(post_wide, keep_ties=True)


def top_country_by_followers(post_wide: DataFrame) -> DataFrame:
    """Country with the poster who has the most followers, in one row; a tie goes to the first country."""
    countries = top_user_by_country(post_wide).select("country", "follower_count")
    return countries.orderBy(F.desc_nulls_last("follower_count"), F.asc("country")).limit(1)


def median_followers_by_age_group(post_wide: DataFrame) -> DataFrame:
    """Median followers of the users of each age group; NULL where no user's count is known."""
    return _median_followers(with_age_group(one_row_per_user(post_wide)), "age_group")


def users_joined_by_year(post_wide: DataFrame) -> DataFrame:
    """Users who joined in each year from 2015 to 2020; years without users are absent."""
    return _joined(post_wide).groupBy("post_year").agg(F.count("*").alias("number_users_joined"))


def median_followers_by_join_year(post_wide: DataFrame) -> DataFrame:
    """Median followers of the users who joined in each year from 2015 to 2020."""
    return _median_followers(_joined(post_wide), "post_year")


def median_followers_by_join_year_and_age_group(post_wide: DataFrame) -> DataFrame:
    """Median followers by age group and joining year (2015 to 2020)."""
    return _median_followers(with_age_group(_joined(post_wide)), "age_group", "post_year")


def posts_by_day_and_category(post_wide: DataFrame) -> DataFrame:
    """Posts of each category on each UTC day that has one."""
    counted = _count_categories(post_wide.withColumn("post_day", F.to_date("post_ts")), "post_day")
    return counted.withColumnRenamed("category_count", "post_count")


def users_joined_by_month(post_wide: DataFrame) -> DataFrame:
    """Users who joined in each month that has one, and how many there were by its end."""
    users = one_row_per_user(post_wide).dropna(subset=["date_joined"])
    month = F.to_date(F.date_trunc("MONTH", "date_joined")).alias("join_month")
    joined = users.groupBy(month).agg(F.count("*").alias("number_users_joined"))
    so_far = F.sum("number_users_joined").over(Window.orderBy("join_month"))
    return joined.withColumn("number_users", so_far)


def followers_by_category(post_wide: DataFrame) -> DataFrame:
    """Users of each category by the most followers that any of their posts in it shows."""
    known = post_wide.dropna(subset=["category", "follower_count"])
    users = known.groupBy("category", "user_name", "age", "date_joined").agg(
        F.max("follower_count").alias("most")
    )
    below = [F.when(F.col("most") < limit, name) for limit, name in BANDS]
    band = F.coalesce(*below, F.lit("1M+")).alias("follower_band")
    return users.groupBy("category", band).agg(F.count("*").alias("number_users"))


def video_share_by_year(post_wide: DataFrame) -> DataFrame:
    """Posts of each year and the share of them that are videos; an unknown medium is left out."""
    known = post_wide.dropna(subset=["post_ts", "is_image_or_video"])
    videos = F.count_if(F.col("is_image_or_video").isin(*VIDEOS))
    return known.groupBy(F.year("post_ts").alias("post_year")).agg(
        F.count("*").alias("post_count"),
        videos.alias("video_count"),
        (videos / F.count("*")).alias("video_share"),
    )


def known_values(post_wide: DataFrame) -> DataFrame:
    """Posts in which each field is known, and the newest day of them."""
    pairs = [part for name in FIELDS for part in (F.lit(name), F.col(name).isNotNull())]
    known = post_wide.select("post_ts", F.explode(F.create_map(*pairs)).alias("field", "is_known"))
    day = F.when(F.col("is_known"), F.to_date("post_ts"))
    return known.groupBy("field").agg(
        F.count("*").alias("post_count"),
        F.count_if("is_known").alias("known_count"),
        (F.count_if("is_known") / F.count("*")).alias("known_share"),
        F.max(day).alias("newest_day"),
    )


def one_row_per_user(post_wide: DataFrame) -> DataFrame:
    """Users (user_name, age, date_joined) with the most followers that any of their posts shows."""
    users = post_wide.groupBy("user_name", "age", "date_joined")
    return users.agg(F.max("follower_count").alias("follower_count"))


def with_age_group(rows: DataFrame) -> DataFrame:
    """Add `age_group`: 18-24, 25-35, 36-50, 50+ (over 50); NULL for the younger and the unknown."""
    age = F.col("age")
    group = (
        F.when(age.between(18, 24), "18-24")
        .when(age.between(25, 35), "25-35")
        .when(age.between(36, 50), "36-50")
        .when(age > 50, "50+")
    )
    return rows.withColumn("age_group", group)


def _joined(post_wide: DataFrame) -> DataFrame:
    """Users who joined in the years asked for, with that year as `post_year`, as the answers call it."""
    users = one_row_per_user(post_wide).withColumn("post_year", F.year("date_joined"))
    return users.where(F.col("post_year").between(*JOIN_YEARS))


def _count_categories(posts: DataFrame, group: str) -> DataFrame:
    """Posts of each category in each group; NULL is no group and no category."""
    known = posts.dropna(subset=[group, "category"])
    return known.groupBy(group, "category").agg(F.count_distinct("ind").alias("category_count"))


def _median_followers(users: DataFrame, *groups: str) -> DataFrame:
    known = users.dropna(subset=list(groups))
    return known.groupBy(*groups).agg(F.percentile("follower_count", 0.5).alias("median_follower_count"))


def _top(rows: DataFrame, group: str, value: str, name: str, keep_ties: bool) -> DataFrame:
    """Row of each group with the highest value: of several the first by name, or all of them."""
    order = [F.desc_nulls_last(value)] if keep_ties else [F.desc_nulls_last(value), F.asc(name)]
    place = F.rank().over(Window.partitionBy(group).orderBy(*order))
    return rows.withColumn("place", place).where(F.col("place") == 1).drop("place")
