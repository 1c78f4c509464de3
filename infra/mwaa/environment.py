"""One MWAA environment and its bucket: what it reads, and waiting for an update of it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.mwaa import DeployError

OLDEST = (3, 2)
_BUSY = {"CREATING", "UPDATING", "ROLLING_BACK", "CREATING_SNAPSHOT", "PENDING", "MAINTENANCE"}
_POLL_SECONDS = 20
_LONGEST_SECONDS = 90 * 60


@dataclass(frozen=True)
class Environment:
    """What an environment says of itself, as far as a deployment needs it."""

    name: str
    status: str
    airflow: str
    bucket: str
    dags: str
    ui: str
    files: dict[str, str]
    # of the files' keys, where the environment names one
    versions: dict[str, str]
    last_error: str

    def key(self, name: str) -> str:
        """Return the key of a file below our folder, the only one we write to."""
        return f"{self.dags}/pinflow/{name}"


# the parts of an environment that name a file of its bucket, and our file for each
PARTS = {
    "RequirementsS3": "requirements.txt",
    "PluginsS3": "plugins.zip",
    "StartupScriptS3": "startup.sh",
}


def describe(mwaa: Any, name: str) -> Environment:
    """Ask for an environment; raises DeployError when there is none of that name."""
    try:
        found = mwaa.get_environment(Name=name)["Environment"]
    except mwaa.exceptions.ResourceNotFoundException as error:
        raise DeployError(
            f"There is no environment {name} in {mwaa.meta.region_name}. "
            "Repair: correct --environment or --region."
        ) from error
    return Environment(
        name=name,
        status=found["Status"],
        airflow=found["AirflowVersion"],
        bucket=found["SourceBucketArn"].rsplit(":", 1)[-1],
        dags=found["DagS3Path"].strip("/"),
        ui=found.get("WebserverUrl", ""),
        files=_named(found, "Path"),
        versions=_named(found, "ObjectVersion"),
        last_error=found.get("LastUpdate", {}).get("Error", {}).get("ErrorMessage", ""),
    )


def _named(found: dict[str, Any], field: str) -> dict[str, str]:
    """Return a field of each part that has it, by our file's name."""
    return {file: found[f"{part}{field}"] for part, file in PARTS.items() if found.get(f"{part}{field}")}


def refuse_unfit(environment: Environment, bucket: str) -> None:
    """Raise DeployError for an environment that cannot take the DAGs."""
    if tuple(int(part) for part in environment.airflow.split(".")[:2]) < OLDEST:
        raise DeployError(
            f"{environment.name} runs Airflow {environment.airflow}; the DAGs need 3.2 or newer. "
            "Repair: upgrade the environment, best to 3.3.1."
        )
    if environment.bucket != bucket:
        raise DeployError(
            f"{environment.name} reads the bucket {environment.bucket}, not {bucket}. "
            "Repair: correct --bucket."
        )
    if environment.status != "AVAILABLE":
        raise DeployError(
            f"{environment.name} is {environment.status}. Repair: wait until it is AVAILABLE, then deploy."
        )


def update(mwaa: Any, environment: Environment, objects: dict[str, tuple[str, str]]) -> None:
    """Point an environment at keys and versions of files; its workers are replaced when they are idle."""
    changes: dict[str, str] = {}
    for part, file in PARTS.items():
        if file in objects:
            changes[f"{part}Path"], changes[f"{part}ObjectVersion"] = objects[file]
    mwaa.update_environment(Name=environment.name, WorkerReplacementStrategy="GRACEFUL", **changes)


def wait(
    mwaa: Any, name: str, say: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
) -> Environment:
    """Wait until an update has ended; raises DeployError when it failed or does not end."""
    waited, said = 0, ""
    while True:
        environment = describe(mwaa, name)
        if environment.status != said:
            said = environment.status
            say(f"{name} is {said}")
        if said == "AVAILABLE" and not environment.last_error:
            return environment
        if said not in _BUSY:
            raise DeployError(
                f"The update of {name} ended as {said}: {environment.last_error or 'no reason was given'}. "
                "Repair: read the environment's requirements_install log, correct, and deploy again; "
                "MWAA went back to what it had."
            )
        if waited >= _LONGEST_SECONDS:
            raise DeployError(
                f"{name} is still {said} after {waited // 60} minutes. "
                "Repair: look at it in the console; deploy again when it is AVAILABLE."
            )
        sleep(_POLL_SECONDS)
        waited += _POLL_SECONDS
