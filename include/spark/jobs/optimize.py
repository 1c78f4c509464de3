"""Optimize and vacuum the tables of the pipeline."""

import argparse
import json

from pinspark.optimize import optimize_tables
from pinspark.session import session


def main() -> None:
    """Read the parameters, optimize the tables, say how many."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("stage", "silver", "gold", "ops"):
        parser.add_argument(f"--{name}", required=True, help=f"schema {name}, quoted where it must be")
    parser.add_argument("--user-id", required=True, help="the part of the names that is a person's own")
    parser.add_argument("--vacuum-hours", required=True, type=int, help="age of the files that go")
    args = parser.parse_args()
    schemas = {name: getattr(args, name) for name in ("stage", "silver", "gold", "ops")}
    print(
        "RESULT "
        + json.dumps({"tables": optimize_tables(session(), schemas, args.user_id, args.vacuum_hours)})
    )


if __name__ == "__main__":
    main()
