"""What a deployment would do to an environment that others use too; nothing here writes."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.mwaa import DeployError, plugins, requirements
from infra.mwaa.environment import Environment

OURS = b"The Pinterest data pipeline for Airflow"
# below our folder: what the environment is pointed at
ENVIRONMENT = "environment/"


@dataclass
class Plan:
    """What is to be written, and what a person is told first."""

    lines: list[str] = field(default_factory=list)
    # by the name that the environment has for it: what it is to read instead
    parts: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    # why it must not be carried out
    refusals: list[str] = field(default_factory=list)


def read(s3: Any, environment: Environment, name: str) -> bytes:
    """Return the file that an environment uses, in the version it uses; empty when it uses none."""
    key, version = environment.files.get(name), environment.versions.get(name)
    if not key:
        return b""
    which = {"VersionId": version} if version else {}
    return bytes(s3.get_object(Bucket=environment.bucket, Key=key, **which)["Body"].read())


def listed(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield keys and the digests that S3 gives them."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            yield entry["Key"], entry["ETag"].strip('"')


def make(s3: Any, environment: Environment, built: Path, merge: bool, with_plugins: bool) -> Plan:
    """Compare what was built with what the environment has."""
    plan = Plan()
    _requirements(plan, read(s3, environment, "requirements.txt"), built, merge)
    if with_plugins:
        _plugins(plan, read(s3, environment, "plugins.zip"), built, merge)
    startup = (built / "startup.sh").read_bytes()
    theirs = read(s3, environment, "startup.sh")
    if not theirs or environment.files["startup.sh"] == environment.key(f"{ENVIRONMENT}startup.sh"):
        _change(plan, "startup.sh", theirs, startup)
    else:
        plan.lines.append("startup.sh: the environment's own stays; ours only reports")
    _tree(plan, s3, environment, built / "dags" / "pinflow")
    return plan


def _change(plan: Plan, name: str, before: bytes, after: bytes) -> None:
    if before != after:
        plan.parts[name] = after
        plan.lines.append(f"{name}: {'changed' if before else 'the environment has none, ours is set'}")


def _requirements(plan: Plan, content: bytes, built: Path, merge: bool) -> None:
    before = content.decode()
    ours = (built / "requirements.txt").read_text(encoding="utf-8")
    after = requirements.merged(before, ours)
    plan.lines += requirements.difference(before, after) or ["requirements.txt: has all that is needed"]
    _change(plan, "requirements.txt", content, after.encode())
    if clash := requirements.conflicts(before, ours):
        pins = "; ".join(f"{their} there, {our} here" for their, our in clash)
        plan.refusals.append(
            f"The environment's requirements.txt pins other versions: {pins}. "
            "Repair: agree with its owners on one version of each, there or in requirements.txt here."
        )
    elif before != after and requirements.others(before).strip() and not merge:
        plan.refusals.append(
            "The environment has requirements of others, which lack the lines above. "
            "Repair: --merge makes one file of both, theirs first."
        )


def _plugins(plan: Plan, content: bytes, built: Path, merge: bool) -> None:
    ours = plugins.files((built / "plugins.zip").read_bytes(), "build/mwaa/plugins.zip")
    theirs = plugins.files(content, "The environment's plugins.zip") if content else {}
    if ours.items() <= theirs.items():
        plan.lines.append("plugins.zip: has what is needed")
        return
    plan.lines += plugins.difference(theirs, ours)
    _change(plan, "plugins.zip", content, plugins.merged(theirs, ours))
    foreign = sorted(set(theirs) - set(ours))
    if foreign and not merge:
        plan.refusals.append(
            f"The environment's plugins.zip is not ours, it holds {', '.join(foreign)}. "
            "Repair: --merge makes one zip of both; --no-plugins leaves it as it is (ours is optional)."
        )


def _tree(plan: Plan, s3: Any, environment: Environment, folder: Path) -> None:
    prefix = environment.key("")
    kept = environment.key(ENVIRONMENT)
    found = listed(s3, environment.bucket, prefix)
    present = {key: digest for key, digest in found if not key.startswith(kept)}
    package = environment.key("__init__.py")
    if present:
        body = (
            s3.get_object(Bucket=environment.bucket, Key=package)["Body"].read()
            if package in present
            else b""
        )
        if OURS not in body:
            raise DeployError(
                f"s3://{environment.bucket}/{prefix} holds something that is not pinflow. "
                "Repair: rename that folder, or choose another environment."
            )
    files = {environment.key(str(p.relative_to(folder))): p for p in folder.rglob("*") if p.is_file()}
    for key, path in sorted(files.items(), key=_order):
        content = path.read_bytes()
        if present.get(key) != hashlib.md5(content, usedforsecurity=False).hexdigest():
            plan.uploads[key] = content
    plan.stale = sorted(set(present) - set(files))
    plan.lines.append(
        f"{prefix}: {len(plan.uploads)} of {len(files)} files to upload, {len(plan.stale)} to delete"
    )


def _order(item: tuple[str, Path]) -> tuple[int, str]:
    """Sort the DAG files, which are parsed at once, behind all that they need."""
    key, path = item
    return (0 if path.name == ".airflowignore" else 2 if path.name.startswith("pinterest_") else 1, key)
