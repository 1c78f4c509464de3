"""Compare a snapshot of the source with what is published, and write down the days that differ."""

import argparse
import json

from pinspark.reconcile import described, reconcile, require_rebuilt, windows
from pinspark.session import session


def main() -> None:
    """Read the parameters, compare, say which days are stale and how to rebuild them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--snapshot", required=True, help="folder of the snapshot, no slash at its end")
    parser.add_argument("--silver", required=True, help="schema silver, quoted where it must be")
    parser.add_argument("--ops", required=True, help="schema ops, quoted where it must be")
    parser.add_argument(
        "--rebuilt", type=json.loads, default=[], help="windows that must not be stale, as a JSON list"
    )
    args = parser.parse_args()
    rows = reconcile(session(), args.snapshot, args.silver, args.ops)
    print("\n".join(described(rows)))
    require_rebuilt(rows, args.rebuilt)
    days = sorted({row.post_date for row in rows})
    print("RESULT " + json.dumps({"stale": list(map(str, days)), "windows": windows(days)}))


if __name__ == "__main__":
    main()
