"""`python -m infra.mwaa build|deploy`: what MWAA is given, and bringing it to an environment."""

import sys
from typing import Annotated, Any

import typer

from infra.mwaa import DeployError
from infra.mwaa.build import OUTPUT, REPO
from infra.mwaa.build import build as build_tree
from infra.mwaa.plan import Plan

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__, rich_markup_mode=None)


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


@app.command()
def build() -> None:
    """Write build/mwaa/."""
    folder = build_tree()
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1024
    say(
        f"{OUTPUT.relative_to(REPO)}: dags/pinflow ({len(files)} files, {size:.0f} KiB), plugins.zip "
        "(optional), requirements.txt, startup.sh (optional).\n"
        "`python -m infra.mwaa deploy --bucket … --environment …` brings them to an environment."
    )


@app.command()
def deploy(
    bucket: Annotated[str, typer.Option(help="The environment's bucket.")],
    environment: Annotated[str, typer.Option(help="The environment's name.")],
    region: Annotated[str | None, typer.Option(help="By default the one of your AWS profile.")] = None,
    merge: Annotated[
        bool, typer.Option("--merge", help="Put requirements and plugins of others and ours together.")
    ] = False,
    no_plugins: Annotated[bool, typer.Option("--no-plugins", help="Leave plugins.zip alone.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before workers are replaced.")] = False,
) -> None:
    """Build, show what changes, and bring it to an environment that others may use too."""
    import boto3

    from infra.mwaa import deploy as deployment

    def agreed(plan: Plan) -> bool:
        return not dry_run and (yes or not plan.parts or typer.confirm("Update the environment?"))

    session: Any = boto3.Session(region_name=region)
    built = build_tree().parent
    address = deployment.deploy(
        session.client("s3"), session.client("mwaa"), built, bucket, environment,
        merge=merge, with_plugins=not no_plugins, agreed=agreed, say=say,
    )  # fmt: skip
    say(f"Airflow: {address}" if address else "Nothing was changed.")


def main() -> None:
    """Run a command; what went wrong is one message, not a traceback."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        app()
    except DeployError as error:
        sys.exit(f"error: {error}")
    except (BotoCoreError, ClientError) as error:
        sys.exit(
            f"error: AWS: {error}. Repair: check credentials and region, and the grants "
            "airflow:GetEnvironment, airflow:UpdateEnvironment (with iam:PassRole for its role), and "
            "on the bucket s3:ListBucket, s3:GetObject, s3:GetObjectVersion, s3:PutObject, s3:DeleteObject."
        )


if __name__ == "__main__":
    main()
