"""Bring what was built to an MWAA environment: writes and deletes below dags/pinflow/ only."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.mwaa import DeployError
from infra.mwaa import environment as mwaa_environment
from infra.mwaa.environment import Environment
from infra.mwaa.plan import ENVIRONMENT, Plan, make

RESTARTS = (
    "The environment is updated for this: MWAA replaces its workers, also for the DAGs of others; tasks "
    "at work may end first, scheduling pauses, and it takes 10 to 30 minutes."
)


def show(plan: Plan, say: Callable[[str], None]) -> None:
    """Tell a person what a plan does; raises DeployError with every reason against it."""
    for line in plan.lines:
        say(line)
    if plan.refusals:
        raise DeployError(" ".join(plan.refusals) + " Nothing was changed.")
    if plan.parts:
        say(RESTARTS)


def carry_out(
    s3: Any,
    mwaa: Any,
    environment: Environment,
    plan: Plan,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Update the environment, wait for it, then upload the DAGs; return the address of its UI."""
    if plan.parts:
        objects = {name: _versioned(s3, environment, name, data) for name, data in plan.parts.items()}
        mwaa_environment.update(mwaa, environment, objects)
        for name, (key, _) in objects.items():
            if (before := environment.files.get(name)) not in (None, key):
                say(f"{environment.name} reads {key} in place of {before}, which stays as it was")
        environment = mwaa_environment.wait(mwaa, environment.name, say, sleep)
    for key, content in plan.uploads.items():
        _ours(environment, key)
        s3.put_object(Bucket=environment.bucket, Key=key, Body=content)
    for key in plan.stale:
        s3.delete_object(Bucket=environment.bucket, Key=_ours(environment, key))
    say(f"uploaded {len(plan.uploads)} files, deleted {len(plan.stale)}; MWAA sees them within a minute")
    return f"https://{environment.ui}"


def _versioned(s3: Any, environment: Environment, name: str, content: bytes) -> tuple[str, str]:
    """Write a file that the environment is pointed at; return its key and version."""
    key = _ours(environment, environment.key(ENVIRONMENT + name))
    version = s3.put_object(Bucket=environment.bucket, Key=key, Body=content).get("VersionId")
    if not version:
        raise DeployError(
            f"The bucket {environment.bucket} keeps no versions, which MWAA needs. "
            "Repair: turn on versioning of the bucket."
        )
    return key, str(version)


def _ours(environment: Environment, key: str) -> str:
    """Return a key of our folder; anything else is never written or deleted."""
    if not key.startswith(environment.key("")):
        raise DeployError(
            f"{key} is not below {environment.key('')}. Repair: report this; nothing was written."
        )
    return key


def deploy(
    s3: Any,
    mwaa: Any,
    built: Path,
    bucket: str,
    name: str,
    *,
    merge: bool,
    with_plugins: bool,
    agreed: Callable[[Plan], bool],
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Show what is to be done, ask, do it; return the address of the UI, None when it was not agreed to."""
    environment = mwaa_environment.describe(mwaa, name)
    mwaa_environment.refuse_unfit(environment, bucket)
    plan = make(s3, environment, built, merge, with_plugins)
    show(plan, say)
    return carry_out(s3, mwaa, environment, plan, say, sleep) if agreed(plan) else None
