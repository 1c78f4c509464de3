"""Clean quarantined rows again by the present contract and publish those that can be read now."""

import argparse
import json

from pinspark.replay import SAID, described, inexact_days, parse_choice, replay
from pinspark.session import session


def main() -> None:
    """Read the parameters, replay, say what was moved and what stays."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--choice", required=True, help="params days, table and reason, as a JSON object")
    parser.add_argument("--silver", required=True, help="schema silver, quoted where it must be")
    parser.add_argument("--ops", required=True, help="schema ops, quoted where it must be")
    args = parser.parse_args()
    choice, spark = parse_choice(args.choice), session()
    rows = replay(spark, args.silver, args.ops, choice)
    print("\n".join(described(rows)))
    counts = {outcome: sum(row.rows for row in rows if row.outcome == outcome) for outcome in SAID}
    inexact = [
        f"{row.post_date} {row.source_table}" for row in inexact_days(spark, args.silver, args.ops, choice)
    ]
    for day in inexact:
        print(f"WARNING {day}: the ledger is not what the tables hold; run the day again")
    print("RESULT " + json.dumps({**counts, "inexact": inexact}))


if __name__ == "__main__":
    main()
