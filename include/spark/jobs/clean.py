"""Clean one table of a window: landed objects in, stage rows and refused lines out."""

import argparse
import json
from dataclasses import asdict

from pinspark.contracts import load_contract
from pinspark.drift import Cleaned, describe_unknown
from pinspark.manifest import parse_manifest
from pinspark.session import session
from pinspark.stage import stage_table


def main() -> None:
    """Read the parameters, stage the table, say what was moved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifest", required=True, type=json.loads, help="manifest of one table, as JSON")
    parser.add_argument("--stage", required=True, help="schema of the stage tables, quoted where it must be")
    args = parser.parse_args()
    manifest = parse_manifest(args.manifest)
    done = stage_table(session(), manifest, args.stage)
    print(
        f"{manifest.table} [{manifest.first_day}, {manifest.end_day}): {manifest.count} acknowledged = "
        f"{done.staged} staged + {done.rejected} rejected; {done.doubles} doubles and {done.foreign_doubles} "
        f"foreign doubles dropped; {done.foreign} lines of no row"
    )
    if done.drifted:
        said = describe_unknown(Cleaned(done.drifted, done.unknown), load_contract(manifest.table))
        print(f"WARNING {manifest.table}: {done.drifted} rows have unknown fields: {said}")
    print("RESULT " + json.dumps({"table": manifest.table, "acknowledged": manifest.count, **asdict(done)}))


if __name__ == "__main__":
    main()
