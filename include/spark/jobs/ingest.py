"""Read the streams into the tables of the speed layer: up to now, or for a time."""

import argparse
import json
from datetime import UTC, datetime

from pinspark.contracts import TABLES
from pinspark.ingest import ingest
from pinspark.session import session
from pinspark.stream import Feed


def main() -> None:
    """Read the parameters, read the streams, say how much came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--user-id", required=True, help="the part of the names that is a person's own")
    parser.add_argument("--silver", required=True, help="schema silver, quoted where it must be")
    parser.add_argument("--checkpoints", required=True, help="folder of the checkpoints, a URI")
    parser.add_argument("--options", default={}, type=json.loads, help="options of the source, as JSON")
    parser.add_argument(
        "--until", type=datetime.fromisoformat, help="read on until then; by itself up to now"
    )
    parser.add_argument(
        "--rebuild", default="false", choices=("false", "true", "again"), help="begin a new checkpoint"
    )
    args = parser.parse_args()
    feeds = [Feed.of(table, args.user_id, args.silver, args.checkpoints) for table in TABLES]
    # a run that comes too late reads what is there
    seconds = (args.until - datetime.now(UTC)).total_seconds() if args.until else 0
    done = ingest(session(), feeds, args.options, seconds if seconds > 0 else None, args.rebuild)
    for table, counts in done.items():
        print(f"{table}: {counts['records']} records in {counts['batches']} batches")
    print("RESULT " + json.dumps(done))


if __name__ == "__main__":
    main()
