"""No proxy stands between us and our own services."""

from collections.abc import MutableMapping

HOSTS = ("127.0.0.1", "localhost")
SPELLINGS = ("NO_PROXY", "no_proxy")


def spare(environment: MutableMapping[str, str]) -> None:
    """Add loopback to what goes past the proxy, in both spellings; a lone `*` covers it already."""
    given = [host.strip() for name in SPELLINGS for host in environment.get(name, "").split(",")]
    hosts = [host for host in dict.fromkeys([*given, *HOSTS]) if host]
    value = "*" if "*" in hosts else ",".join(hosts)
    environment.update(dict.fromkeys(SPELLINGS, value))
