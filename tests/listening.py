"""Where the processes of one stack listen."""

from pathlib import Path

import psutil

from devstack import processes, supervise
from devstack.config import Settings

LOOPBACK = ("127.0.0.1", "::1")


def listening(state_dir: Path) -> dict[tuple[str, int], str]:
    """Name the process of each (address, port) that a process of this stack listens on."""
    found = {}
    for process in processes.ours(state_dir):
        try:
            connections = process.net_connections("tcp")
        except psutil.NoSuchProcess:
            continue
        for connection in connections:
            if connection.status == psutil.CONN_LISTEN:
                address = connection.laddr.ip.removeprefix("::ffff:"), connection.laddr.port
                found[address] = processes.describe(process)
    return found


def assert_loopback_only(settings: Settings) -> None:
    """Every socket, declared or not, is out of reach of other machines."""
    found = listening(settings.state_dir)
    declared = {port for row in supervise.status(settings) if row.pid for port in row.ports}
    assert declared
    assert declared <= {port for _, port in found}
    assert {address: process for address, process in found.items() if address[0] not in LOOPBACK} == {}
