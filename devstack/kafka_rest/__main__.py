"""Serve the Kafka REST proxy on loopback."""

import logging

from devstack import kafka
from devstack.asgi import serve
from devstack.config import Settings
from devstack.kafka_rest.app import create_app
from devstack.kafka_rest.log import Log


def main() -> None:
    """Read the settings from the environment and serve until stopped."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings()
    log = Log({"bootstrap.servers": kafka.bootstrap(settings), "client.id": "rest"})
    serve(create_app(log), settings.rest_port)


if __name__ == "__main__":
    main()
