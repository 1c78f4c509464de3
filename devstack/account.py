"""The unprivileged account of the databases, which refuse to run as root, and the folders it can reach."""

import hashlib
import os
import pwd
import shutil
import subprocess
from functools import cache
from pathlib import Path

from devstack.config import Settings
from devstack.errors import StackError

ACCOUNT = "nobody"
FALLBACK = Path("/var/tmp")  # noqa: S108 - made 0755 by root, its owner checked below


def database_user() -> str | None:
    """Name the account the databases run as when we are root, else None: they run as ourselves."""
    return ACCOUNT if os.geteuid() == 0 else None


@cache
def _account() -> pwd.struct_passwd:
    return pwd.getpwnam(ACCOUNT)


def reachable(path: Path) -> bool:
    """Tell whether the databases' account may pass every existing folder down to `path`."""
    if database_user() is None:
        return True
    resolved = path.resolve()
    return all(_passable(folder) for folder in (resolved, *resolved.parents) if folder.exists())


def _passable(folder: Path) -> bool:
    stat = folder.stat()
    if stat.st_uid == _account().pw_uid:
        return bool(stat.st_mode & 0o100)
    return bool(stat.st_mode & (0o010 if stat.st_gid == _account().pw_gid else 0o001))


def fallback_dir(home: Path) -> Path:
    """Name the folder used instead of `home` when the databases' account cannot reach that one."""
    return FALLBACK / f"pinflow-{hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]}"


def reachable_home(home: Path) -> Path:
    """Name `home`, or where that account cannot go there, root's own folder under /var/tmp."""
    return home if reachable(home) else fallback_dir(home)


def make_home(home: Path) -> Path:
    """Make the folder that `reachable_home` names, and refuse somebody else's."""
    folder = reachable_home(home)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if folder != home and (folder.is_symlink() or folder.stat().st_uid != os.geteuid()):
        raise StackError(f"{folder} belongs to somebody else. Repair: remove it, then run it again.")
    return folder


def data_path(settings: Settings, name: str) -> Path:
    """Name the data folder of a database."""
    return reachable_home(settings.state_dir) / name


def data_dir(settings: Settings, name: str) -> Path:
    """Return the data folder of a database, made and given to its account."""
    folder = make_home(settings.state_dir) / name
    folder.mkdir(mode=0o700, exist_ok=True)
    give(folder)
    return folder


def socket_dir(settings: Settings, name: str) -> Path:
    """Return a short folder for a database's Unix socket, owned by its account."""
    folder = settings.run_dir / name
    folder.mkdir(mode=0o700, exist_ok=True)
    give(folder)
    return folder


def give(folder: Path) -> None:
    """Hand a folder to the databases' account; nothing to do when we are not root."""
    if database_user():
        os.chown(folder, _account().pw_uid, _account().pw_gid)


def run_as_database(command: list[str], *, stdin: str | None = None, what: str) -> None:
    """Run a database's set-up program as its account; raise with its last words when it fails."""
    dropped = database_user() is not None
    done = subprocess.run(
        command,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        check=False,
        user=_account().pw_uid if dropped else None,
        group=_account().pw_gid if dropped else None,
        extra_groups=[] if dropped else None,
    )
    if done.returncode:
        last = " | ".join(done.stdout.strip().splitlines()[-5:])
        raise StackError(f"{what} failed: {last}. Repair: mend what is said there, `make reset`, `make up`.")


def publish_folder(unpacked: Path, target: Path) -> None:
    """Move a freshly unpacked folder into place; when another process was faster, keep that one's."""
    for path in (unpacked, *unpacked.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    try:
        unpacked.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(unpacked)
