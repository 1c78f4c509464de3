"""Write docs/configuration.md: `python -m infra.reference`."""

import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def main() -> None:
    """Write the page, and say whether it has changed."""
    sys.path.insert(0, str(REPO / "plugins"))
    from infra.reference.page import PAGE, page

    text = page()
    before = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.relative_to(REPO)}: {'changed' if text != before else 'as it was'}")


if __name__ == "__main__":
    main()
