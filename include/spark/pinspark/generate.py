"""Write everything that is made from the contracts: `python -m pinspark.generate [--repo FOLDER]`."""

import argparse
from pathlib import Path

from pinspark import check_statements, ddl
from pinspark.catalogue import catalogue
from pinspark.source import source_columns

REPO = Path(__file__).resolve().parents[3]


def generate(repo: Path) -> list[Path]:
    """Write statements of tables and checks, columns of the source and the catalogue; return the changes."""
    include = repo / "include"
    pages = {
        include / "contracts" / "source.json": source_columns(),
        repo / "docs" / "catalogue.md": catalogue(include / "sql"),
    }
    tables, checks = include / "sql" / "silver", include / "sql" / "checks"
    there = (*tables.glob("*.sql"), *checks.glob("*.sql"), *pages)
    before = {path: path.read_text("utf-8") for path in there if path.exists()}
    for path, text in pages.items():
        path.write_text(text, "utf-8")
    ddl.write(tables)
    check_statements.write(checks)
    made = (*tables.glob("*.sql"), *checks.glob("*.sql"), *pages)
    after = {path: path.read_text("utf-8") for path in made}
    return sorted(path for path in before | after if before.get(path) != after.get(path))


def main() -> None:
    """Write, and say what has changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repo", type=Path, default=REPO, metavar="FOLDER")
    repo = parser.parse_args().repo
    changed = generate(repo)
    for path in changed:
        print(path.relative_to(repo))
    print(f"{len(changed)} files changed")


if __name__ == "__main__":
    main()
