"""The Spark server's class path in the cache, and the archive of its parsed classes beside it.

A Java runtime maps an archive only when every jar has the path, size and time it had; in the cache a new
clone finds them so. The first server to end in peace writes the archive, the next ones start from it.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from devstack.config import JARS_LOCK, REPO, Settings

SPARK_LOCK = REPO / "requirements" / "spark.lock"


def folder(settings: Settings) -> Path:
    """Name the folder of the jars and their archive; two clones with the same locks share it."""
    digest = hashlib.sha256(SPARK_LOCK.read_bytes() + JARS_LOCK.read_bytes()).hexdigest()[:12]
    return settings.cache_dir / f"spark-{digest}"


def options(settings: Settings) -> list[str]:
    """Return the runtime's options: the class path, and the archive to read or, at the end, to write."""
    place = folder(settings)
    archive = place / "classes.jsa"
    return [
        "-XX:+AutoCreateSharedArchive",
        f"-XX:SharedArchiveFile={archive}",
        "-Xlog:cds*=off",
        "-cp",
        f"{place}/*",
    ]


def ensure(settings: Settings) -> None:
    """Put every jar of the server into the folder, and give the runtime the archive of its own classes."""
    _share_runtime(settings)
    place = folder(settings)
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=place.parent, prefix=f"{place.name}-"))
    try:
        for source in (settings.spark_site_packages / "pyspark" / "jars", settings.jars("spark")):
            for jar in source.glob("*.jar"):
                _link(jar, made / jar.name)
        made.chmod(0o755)
        made.rename(place)
    except OSError:
        if not place.exists():  # another stack was not faster
            raise
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _link(jar: Path, target: Path) -> None:
    try:
        os.link(jar.resolve(), target)
    except OSError:  # another file system
        shutil.copy2(jar, target)


def _share_runtime(settings: Settings) -> None:
    """Make the archive that a usual runtime brings along and the wheel's leaves out."""
    if not (settings.java.parent.parent / "lib" / "server" / "classes.jsa").exists():
        command = [str(settings.java), "-XX:+UseSerialGC", "-Xshare:dump", "-Xlog:disable"]
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
