"""An environment's requirements.txt beside ours: what contradicts, and the two as one."""

import re
from difflib import unified_diff

BEGIN, END = "# pinflow: begin", "# pinflow: end"
_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?")
_BLOCK = re.compile(rf"^{BEGIN}$.*?^{END}$\n?", re.MULTILINE | re.DOTALL)


def _names(text: str) -> dict[str, str]:
    """Return each requirement's line by its normalised name; options and comments have none."""
    lines = (line.split(" #", 1)[0].strip() for line in text.splitlines())
    found = ((_NAME.match(line), line) for line in lines)
    return {re.sub(r"[-_.]+", "-", name[1]).lower(): line for name, line in found if name}


def others(text: str) -> str:
    """Return a file without what an earlier deployment of ours put into it."""
    return _BLOCK.sub("", text)


def conflicts(text: str, ours: str) -> list[tuple[str, str]]:
    """List lines of others that name a package of ours and are not the same, with our line."""
    named = _names(others(text))
    both = ((named[name], line) for name, line in _names(ours).items() if name in named)
    return [(their, our) for their, our in both if their.replace(" ", "") != our.replace(" ", "")]


def merged(text: str, ours: str) -> str:
    """Return what others wrote as it stands, and behind it the lines of ours that it lacks."""
    rest = others(text)
    named = _names(rest)
    added = [line for name, line in _names(ours).items() if name not in named]
    if not added:
        return rest
    start = rest if not rest or rest.endswith("\n") else rest + "\n"
    return start + "\n".join([BEGIN, *added, END]) + "\n"


def difference(before: str, after: str) -> list[str]:
    """Return the difference of two files for a person to read."""
    names = ("requirements.txt now", "requirements.txt then")
    return list(unified_diff(before.splitlines(), after.splitlines(), *names, n=1, lineterm=""))
