"""Find every post of one user: in tables, quarantine, landed objects and snapshots.

A user is (user_name, age, date_joined). The name comes as its SHA-256: no parameter or log of a run holds it.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - its name in every Spark codebase

from pinspark.contracts import load_contract
from pinspark.landing import GONE, parse_lines, read_lines, unquoted
from pinspark.stage import clean_lines
from pinspark.tables import speed, speed_quarantine

Identity = tuple[int | None, str | None]  # age, date_joined
_SECOND = "yyyy-MM-dd HH:mm:ss"


class AmbiguousUserError(ValueError):
    """A name that several users have."""


@dataclass(frozen=True)
class Wanted:
    """Whom to find: the name's SHA-256, age and date_joined as far as they are given (None: has none)."""

    digest: str
    given: dict[str, Any]

    def fits(self, identity: Identity) -> bool:
        """Tell whether an identity is as given; of a date the day is enough."""
        age, joined = identity
        due = self.given.get("date_joined")
        same_day = joined == due or (bool(joined and due) and str(joined).startswith(str(due)))
        return ("age" not in self.given or age == self.given["age"]) and (
            "date_joined" not in self.given or same_day
        )


@dataclass(frozen=True)
class Found:
    """A user's posts; `sole`: nobody else has the name; `unclear`: rows of the name that tell no identity."""

    posts: list[int]
    known: bool = False
    age: int | None = None
    date_joined: str | None = None
    sole: bool = True
    unclear: int = 0


def parse_wanted(text: str) -> Wanted:
    """Read what the plan of an erasure hands on."""
    given = json.loads(text)
    return Wanted(str(given.pop("name_sha256")), given)


def find_user(
    spark: SparkSession, silver: str, stage: str, user_id: str, objects: list[str], wanted: Wanted
) -> Found:
    """Look everywhere; raises AmbiguousUserError when the name and what is given fit several users."""
    rows = user_rows(spark, silver, stage, user_id, objects, wanted.digest).distinct().collect()
    found = identify(rows, wanted)
    return without_others(spark, silver, found, wanted.digest)


def user_rows(
    spark: SparkSession, silver: str, stage: str, user_id: str, objects: list[str], digest: str
) -> DataFrame:
    """Select rows of the name; columns ind, age, joined, known (age and date could be read)."""
    refused = [
        spark.table(f"{schema}.{table}")
        .where("source_table = 'user'")
        .select(unquoted(F.col("raw")).alias("raw"))
        for schema, table in (
            (silver, "quarantine"),
            (stage, "user_rejects"),
            (silver, f"`{speed_quarantine(user_id).name}`"),
        )
    ]
    lines = [*refused, *(read_lines(spark, [path]).select("raw") for path in objects if _there(spark, path))]
    streamed = f"{silver}.`{speed(load_contract('user'), user_id).name}`"
    named = (f"{silver}.`user`", f"{stage}.`user`", streamed)
    tables = [_typed(spark.table(table), digest) for table in named]
    return reduce(DataFrame.unionAll, [*tables, *(_read(each, digest) for each in lines)])


def _there(spark: SparkSession, path: str) -> bool:
    """Tell whether a pattern meets any object."""
    try:
        return bool(spark.read.text(path).schema)
    except Exception as error:
        if not GONE.search(str(error)):
            raise
        return False


def of_name(name: Column | str, digest: str) -> Column:
    """Compare a name with its digest."""
    return F.coalesce(F.sha2(name, 256) == F.lit(digest), F.lit(False))


def _typed(rows: DataFrame, digest: str) -> DataFrame:
    joined = F.date_format("date_joined", _SECOND).alias("joined")
    return rows.where(of_name("user_name", digest)).select("ind", "age", joined, F.lit(True).alias("known"))


def _read(lines: DataFrame, digest: str) -> DataFrame:
    """Clean the lines that hold the name, also those that are no strict JSON."""
    contract = load_contract("user")
    unread = F.arrays_overlap("columns", F.array(F.lit("age"), F.lit("date_joined")))
    return (
        lines.where(of_name(loose_name(F.col("raw")), digest))
        .transform(parse_lines, contract.id)
        .transform(clean_lines, contract)
        .select(
            "ind",
            F.col("clean_age").alias("age"),
            F.date_format("clean_date_joined", _SECOND).alias("joined"),
            (F.col("doc").isNotNull() & ~unread).alias("known"),
        )
    )


def loose_name(raw: Column) -> Column:
    """Read first and last name of a line that need not be strict JSON."""
    return F.concat(_loose_text(raw, "first_name"), F.lit(" "), _loose_text(raw, "last_name"))


def _loose_text(raw: Column, field: str) -> Column:
    text = F.regexp_extract(raw, rf'"{field}"\s*:\s*("(?:[^"\\]|\\.)*")', 1)
    return F.from_json(F.concat(F.lit('{"v":'), text, F.lit("}")), "v STRING")["v"]


def identify(rows: Iterable[Row], wanted: Wanted) -> Found:
    """Choose the rows of the one user who is meant."""
    rows = list(rows)
    identities = {(row.age, row.joined) for row in rows if row.known}
    fitting = {identity for identity in identities if wanted.fits(identity)}
    if len(fitting) > 1:
        raise AmbiguousUserError(_ambiguous(fitting))
    sole = identities == fitting
    theirs = [row for row in rows if ((row.age, row.joined) in fitting if row.known else sole)]
    unclear = sum(not row.known for row in rows) if not sole else 0
    posts = sorted({row.ind for row in theirs if row.ind is not None})
    for age, joined in fitting:
        return Found(posts, True, age, joined, sole, unclear)
    return Found(posts, sole=sole, unclear=unclear)


def _ambiguous(identities: set[Identity]) -> str:
    """Tell users of one name apart as far as a person must know to choose, and no further."""
    shown = sorted(f"age {_decade(age)}, joined {_year(joined)}" for age, joined in identities)
    ages, dates = {age for age, _ in identities}, {joined for _, joined in identities}
    add = "age" if len(ages) == len(identities) else "age and date_joined"
    add = "date_joined" if len(dates) == len(identities) > len(ages) else add
    return (
        f"{len(identities)} users have this name: {'; '.join(shown)}. Nothing was erased. "
        f"Repair: trigger again with {add} in the param `erase`."
    )


def _decade(age: int | None) -> str:
    return "none" if age is None else f"{age // 10 * 10} to {age // 10 * 10 + 9}"


def _year(joined: str | None) -> str:
    return f"in {joined[:4]}" if joined else "at no known date"


def without_others(spark: SparkSession, silver: str, found: Found, digest: str) -> Found:
    """Leave out posts that are published under another user by now."""
    joined = F.date_format("date_joined", _SECOND)
    same = F.col("age").eqNullSafe(F.lit(found.age)) & joined.eqNullSafe(F.lit(found.date_joined))
    theirs = of_name("user_name", digest) & (same if found.known else F.lit(True))
    published = spark.table(f"{silver}.`user`").where(F.col("ind").isin(found.posts)).where(~theirs)
    others = {row.ind for row in published.select("ind").collect()}
    return Found(**{**asdict(found), "posts": [ind for ind in found.posts if ind not in others]})
