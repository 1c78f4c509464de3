"""Publish an audited window: replace its days in silver, quarantine and ledger."""

import argparse
import json

from pinspark.manifest import parse_manifests
from pinspark.publish import publish_window
from pinspark.session import session
from pinspark.window import Window


def main() -> None:
    """Read the parameters, publish the window, say what was moved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--manifests", required=True, type=parse_manifests, help="the three manifests, as a JSON list"
    )
    for name in ("stage", "silver", "ops"):
        parser.add_argument(f"--{name}", required=True, help=f"schema {name}, quoted where it must be")
    args = parser.parse_args()
    window = Window(session(), args.manifests, args.stage, args.silver, args.ops)
    totals = publish_window(window)
    for total in totals:
        print(
            "{source_table}: {selected} selected, {acknowledged} acknowledged = {silver} in silver + "
            "{quarantined} in quarantine; {orphans} orphans; {doubles} doubles and {foreign_doubles} foreign "
            "doubles dropped; {foreign} lines of no row; {moved} taken over from other days".format(**total)
        )
    print("RESULT " + json.dumps({"tables": totals}))


if __name__ == "__main__":
    main()
