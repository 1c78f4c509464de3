"""An environment's plugins.zip beside ours: whose files are in it, and the two as one."""

import io
import zipfile

from infra.mwaa import DeployError
from infra.mwaa.build import pack


def files(content: bytes, where: str) -> dict[str, bytes]:
    """Unpack a zip in memory; folders have no entry."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    except zipfile.BadZipFile as error:
        raise DeployError(
            f"{where} cannot be read: {error}. Repair: replace it, or deploy with --no-plugins."
        ) from error


def merged(theirs: dict[str, bytes], ours: dict[str, bytes]) -> bytes:
    """Return a zip of their files as they are, and of ours."""
    target = io.BytesIO()
    pack(target, theirs | ours)
    return target.getvalue()


def difference(theirs: dict[str, bytes], ours: dict[str, bytes]) -> list[str]:
    """Return what a merge does to each file, for a person to read."""
    marks = {
        name: "+" if name not in theirs else " " if theirs[name] == data else "~"
        for name, data in (theirs | ours).items()
    }
    return ["plugins.zip (+ added, ~ changed)", *(f"{marks[name]} {name}" for name in sorted(marks))]
