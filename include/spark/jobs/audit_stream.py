"""Audit what the streams delivered of one window: nothing acknowledged may be missing."""

import argparse
import json

from pinspark.contracts import TABLES
from pinspark.session import session
from pinspark.stream import Feed
from pinspark.stream_audit import audit_streams, parse_sents, require_all


def main() -> None:
    """Read the parameters, count, say what came."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--manifests", required=True, type=json.loads, help="the three manifests, as JSON")
    parser.add_argument("--user-id", required=True, help="the part of the names that is a person's own")
    for name in ("silver", "ops"):
        parser.add_argument(f"--{name}", required=True, help=f"schema {name}, quoted where it must be")
    args = parser.parse_args()
    feeds = {table: Feed.of(table, args.user_id, args.silver, "") for table in TABLES}
    findings = audit_streams(session(), parse_sents(args.manifests), feeds, args.ops)
    for finding in findings:
        mark = "WARNING " if finding.failed and finding.action == "warn" else ""
        said = f"{finding.failed} of {finding.rows}, {finding.detail}"
        print(f"{mark}{finding.source_table} {finding.rule}: {said}")
    require_all(findings)
    print("RESULT " + json.dumps({f.source_table: f.detail for f in findings if f.rule == "stream_sums"}))


if __name__ == "__main__":
    main()
