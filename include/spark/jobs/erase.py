"""Erase one user's rows from the tables, after the objects of the lake."""

import argparse
import json

from pinspark.erase import erase_rows
from pinspark.landing import present
from pinspark.session import session
from pinspark.users import Found


def main() -> None:
    """Read the parameters, erase, say how many rows went from where; a name is never printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", required=True, help="file of the posts' ids, as JSON lines")
    parser.add_argument("--found", required=True, type=json.loads, help="what find_user found, without posts")
    parser.add_argument("--name-sha256", required=True, help="SHA-256 of the user's name")
    parser.add_argument("--user-id", required=True, help="the part of the names that is a person's own")
    for name in ("stage", "silver", "ops"):
        parser.add_argument(f"--{name}", required=True, help=f"schema {name}, quoted where it must be")
    args = parser.parse_args()
    spark, schemas = session(), {name: getattr(args, name) for name in ("stage", "silver", "ops")}
    with present(f"The list {args.posts}", "clear `erase_objects`, which writes it again."):
        posts = spark.read.schema("ind INT").json(args.posts)
        found = Found(**{**args.found, "posts": []})
        counts = erase_rows(spark, schemas, args.user_id, posts, found, args.name_sha256)
    for table, rows in counts.items():
        print(f"{table}: {rows} rows erased")
    print(
        "Older versions of these tables hold the rows until VACUUM removes their files (task optimize, "
        "setting retention.vacuum_hours); Kafka and Kinesis hold the records until their own retention "
        "removes them: until then do not rebuild the speed layer"
    )
    print("RESULT " + json.dumps({"rows": counts}))


if __name__ == "__main__":
    main()
