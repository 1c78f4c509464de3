"""`make bench [BENCH=name]`: each part prints the ratios of one run; JSON goes to build/bench/<name>.json."""

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from devstack import supervise
from devstack.config import REPO, Settings

sys.path.insert(0, str(REPO / "plugins"))
PARTS = ("emulation", "cleaning", "analytics", "window", "backfill", "stream")


def main(names: list[str]) -> None:
    """Run the named parts, or all, each on a stack of its own."""
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"error: there is no bench {', '.join(unknown)}. Repair: BENCH={'|'.join(PARTS)}.")
    for name in names or PARTS:
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(state_dir=Path(folder) / "state", port_offset=700)
            try:
                result = import_module(f"bench.{name}").run(settings)
            finally:
                supervise.reset(settings)
        print(f"{name}: {json.dumps(result, indent=1)}", flush=True)
        target = REPO / "build" / "bench" / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if name])
