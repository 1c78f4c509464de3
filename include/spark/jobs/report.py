"""Write the report of a run: the answers with their charts, and what is known of its window."""

import argparse
import json

from pinspark.manifest import parse_manifests
from pinspark.report.build import build, leave
from pinspark.session import session


def main() -> None:
    """Read the parameters, build the page, leave it in the lake."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--manifests", required=True, type=parse_manifests, help="the three manifests, as a JSON list"
    )
    parser.add_argument("--dag-run", required=True, help="name of the run, to be shown")
    parser.add_argument(
        "--stages", type=json.loads, default=[], help="stage, tasks and seconds, as a JSON list of lists"
    )
    parser.add_argument("--to", required=True, help="folder of the page, a URI")
    for name in ("silver", "gold", "ops"):
        parser.add_argument(f"--{name}", required=True, help=f"schema {name}, quoted where it must be")
    args = parser.parse_args()
    spark, schemas = session(), {name: getattr(args, name) for name in ("silver", "gold", "ops")}
    stages = [(str(stage), int(tasks), float(seconds)) for stage, tasks, seconds in args.stages]
    page = build(spark, args.manifests[0], schemas, args.dag_run, stages)
    leave(spark, page, args.to)
    print(f"{len(page):,} characters written to {args.to}")
    print("RESULT " + json.dumps({"page": args.to}))


if __name__ == "__main__":
    main()
