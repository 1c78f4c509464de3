"""The lake's storage: S3Proxy over a folder, with signatures checked."""

from pathlib import Path
from typing import Any

from devstack import jars, java
from devstack.config import Settings
from devstack.service import Service, port_open

MEMORY = "256m"
QUIET = (
    "-DJETTY_LOG_LEVEL=warn",
    "-Dlogback.statusListenerClass=ch.qos.logback.core.status.NopStatusListener",
)


def client(settings: Settings) -> Any:
    """Return a boto3 client of the local S3 service."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.region,
        aws_access_key_id=settings.s3_access_key,
        aws_secret_access_key=settings.s3_secret_key,
    )


def properties(settings: Settings) -> dict[str, str]:
    """Return the proxy's properties."""
    return {
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": settings.s3_access_key,
        "s3proxy.credential": settings.s3_secret_key,
        "s3proxy.endpoint": settings.s3_endpoint,
        "jclouds.provider": "filesystem-nio2",
        "jclouds.filesystem.basedir": str(settings.service_dir("s3") / "data"),
    }


def _file(settings: Settings) -> Path:
    return settings.service_dir("s3") / "s3proxy.properties"


def prepare(settings: Settings) -> None:
    """Write the properties."""
    (settings.service_dir("s3") / "data").mkdir(exist_ok=True)
    _file(settings).touch(mode=0o600)
    java.write_properties(_file(settings), properties(settings))


def create_bucket(settings: Settings) -> None:
    """Create the lake's bucket when it is absent."""
    s3 = client(settings)
    if settings.bucket not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        s3.create_bucket(Bucket=settings.bucket)


def service(settings: Settings) -> Service:
    """Describe the S3 service to the supervisor."""
    return Service(
        name="s3",
        command=[
            str(settings.java),
            f"-Xmx{MEMORY}",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            f"-DLOG_LEVEL={settings.s3_log_level}",
            *QUIET,
            *("-jar", str(jars.single(settings, "s3")), "--properties", str(_file(settings))),
        ],
        ports={"s3_port": settings.s3_port},
        prepare=lambda: prepare(settings),
        ready=lambda: port_open(settings.s3_port),
        after=lambda: create_bucket(settings),
        directory=settings.service_dir("s3"),
    )
