"""Run the stack in a container: `python -m infra.astro.stack run|ready`; other containers reach its ports."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

from devstack import mariadb, registry
from devstack.config import Settings
from devstack.service import port_open

# Airflow and its Postgres are Astro's
LEFT_OUT = ("airflow", "postgres")
_BYTES = 65_536


def names() -> list[str]:
    """Return the services that run here."""
    return [name for name in registry.FACTORIES if name not in LEFT_OUT]


def ports(settings: Settings) -> list[int]:
    """Return the ports that Airflow's connections name."""
    return [
        settings.mysql_port,
        settings.kafka_port,
        settings.s3_port,
        settings.gateway_port,
        settings.kinesis_port,
        settings.databricks_port,
    ]


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await source.read(_BYTES):
            target.write(data)
            await target.drain()
    if target.can_write_eof():
        with suppress(OSError):
            target.write_eof()


async def forward(address: str, outer: Iterable[int], inner: str = "127.0.0.1") -> list[asyncio.Server]:
    """Listen on an address of this container and hand each connection to the same port of loopback."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = writer.get_extra_info("sockname")[1]
        with suppress(OSError):
            there, back = await asyncio.open_connection(inner, port)
            await asyncio.gather(_copy(reader, back), _copy(there, writer))
            back.close()
        writer.close()

    return [await asyncio.start_server(handle, address, port) for port in outer]


def _devstack(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "devstack", *arguments], check=True)


def _is_empty(settings: Settings) -> bool:
    connection = mariadb.connect(settings, settings.mysql_database)
    try:
        cursor = connection.cursor()
        cursor.execute("SHOW TABLES")
        return not cursor.fetchall()
    finally:
        connection.close()


async def run(settings: Settings) -> None:
    """Start the services, seed an empty source, forward until the container is stopped."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    try:
        await asyncio.to_thread(_devstack, "up", *names())
        if await asyncio.to_thread(_is_empty, settings):
            await asyncio.to_thread(_devstack, "seed")
        await forward(socket.gethostbyname(socket.gethostname()), ports(settings))
        await ended.wait()
    finally:
        await asyncio.to_thread(_devstack, "down")


def main(command: str) -> int:
    """Run, or tell whether every port answers."""
    settings = Settings()
    if command == "run":
        asyncio.run(run(settings))
        return 0
    return 0 if all(map(port_open, ports(settings))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
