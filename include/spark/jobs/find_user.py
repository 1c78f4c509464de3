"""Find the posts of one user in every table and in the objects of the lake."""

import argparse
import json
from dataclasses import asdict

from pinspark.session import session
from pinspark.users import find_user, parse_wanted


def main() -> None:
    """Read the parameters, find the posts, say how many; a name is never printed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--wanted", required=True, type=parse_wanted, help="SHA-256 of the name and more, as JSON"
    )
    parser.add_argument(
        "--objects", required=True, type=json.loads, help="patterns of objects, as a JSON list"
    )
    parser.add_argument("--user-id", required=True, help="the part of the names that is a person's own")
    for name in ("stage", "silver"):
        parser.add_argument(f"--{name}", required=True, help=f"schema {name}, quoted where it must be")
    args = parser.parse_args()
    found = find_user(session(), args.silver, args.stage, args.user_id, args.objects, args.wanted)
    print(f"User {args.wanted.digest[:8]} (SHA-256 of the name): {len(found.posts)} posts")
    if found.unclear:
        print(
            f"WARNING {found.unclear} refused rows hold the name and do not say whose of several users: they "
            "stay until the source has them no more and their days run again"
        )
    print("RESULT " + json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
