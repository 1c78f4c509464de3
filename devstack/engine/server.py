"""What the engine knows of the Spark Connect server: its address, whether it answers, its sessions."""

import socket
import time
from dataclasses import dataclass

REPAIR = (
    "Repair: the supervisor restarts it by itself, so run this again; if it stays away look at "
    "`python -m devstack status` and `python -m devstack logs spark`."
)


@dataclass(frozen=True)
class SparkServer:
    """A Spark Connect server on loopback."""

    port: int

    def url(self, session: str) -> str:
        """Return the address of one session."""
        return f"sc://127.0.0.1:{self.port}/;user_id=local;session_id={session}"

    def answers(self) -> bool:
        """Tell whether something listens."""
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def wait(self, seconds: float) -> None:
        """Wait until the server listens; raises ConnectionError naming the repair."""
        deadline = time.monotonic() + seconds
        while not self.answers():
            if time.monotonic() > deadline:
                raise ConnectionError(
                    f"The Spark server on port {self.port} did not answer within {seconds:.0f} s. {REPAIR}"
                )
            time.sleep(0.2)

    def release(self, session: str) -> None:
        """Interrupt whatever a session still does and forget it; opens a channel, so never in the parent."""
        from pyspark.sql.connect.client import SparkConnectClient  # type: ignore[import-not-found,unused-ignore]

        SparkConnectClient(self.url(session)).release_session()
