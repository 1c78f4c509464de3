"""Serve the API's stage on loopback."""

import logging

from devstack.asgi import serve
from devstack.config import Settings
from devstack.gateway import service
from devstack.gateway.app import create_app


def main() -> None:
    """Read the settings from the environment and serve until stopped."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings()
    serve(create_app(service.api(settings), settings.gateway_key), settings.gateway_port)


if __name__ == "__main__":
    main()
