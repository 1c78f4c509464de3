"""The questions in PySpark: each function takes `post_wide`, a row a post, and gives what its SQL file gives.

A user is name, age and joining time, and counts once, with the most followers any post shows. Medians are
exact. Years are those of the session's time zone, so ask in UTC: `pinspark.session.session()` sets it.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

POST_YEARS = (2018, 2022)
JOIN_YEARS = (2015, 2020)


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
