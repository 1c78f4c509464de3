"""Audit what the clean jobs of a window staged; a broken `fail` rule stops the run before it publishes."""

import argparse
import json
from dataclasses import asdict

from pinspark.audit import audit_tables, require
from pinspark.drift import parse_cleaned
from pinspark.manifest import parse_manifests
from pinspark.session import session

VERDICTS = {"fail": "FAILED", "quarantine": "REFUSED", "warn": "WARNING"}


def main() -> None:
    """Read the parameters, apply the rules, say what they found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--manifests", required=True, type=parse_manifests, help="the three manifests, as a JSON list"
    )
    parser.add_argument(
        "--cleaned", type=json.loads, default=[], help="results of the clean jobs, as a JSON list"
    )
    parser.add_argument("--stage", required=True, help="schema of the stage tables, quoted where it must be")
    parser.add_argument("--ops", required=True, help="schema of ops.quality_results, quoted where it must be")
    args = parser.parse_args()
    findings = audit_tables(session(), args.manifests, args.stage, args.ops, parse_cleaned(args.cleaned))
    for found in findings:
        verdict = VERDICTS[found.action] if found.failed else "ok"
        print(f"{verdict:8}{found.source_table}.{found.rule}: {found.failed} of {found.rows}; {found.detail}")
    require(findings, args.manifests[0])
    print("RESULT " + json.dumps({"findings": [asdict(found) for found in findings if found.failed]}))


if __name__ == "__main__":
    main()
