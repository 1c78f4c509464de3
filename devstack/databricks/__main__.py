"""Serve the Databricks endpoint on loopback."""

import logging

import uvicorn

from devstack.config import Settings
from devstack.databricks.app import create_app


def main() -> None:
    """Read the settings from the environment and serve until stopped."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings()
    uvicorn.run(
        create_app(settings),
        host="127.0.0.1",
        port=settings.databricks_port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()
