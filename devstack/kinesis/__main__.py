"""Serve the Kinesis endpoint on loopback."""

import logging

from devstack.asgi import serve
from devstack.config import Settings
from devstack.kinesis.app import create_app
from devstack.kinesis.store import Store


def main() -> None:
    """Read the settings from the environment and serve until stopped."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = Settings()
    store = Store(settings.service_dir("kinesis") / "kinesis.sqlite")
    app = create_app(store, settings.region, round(settings.kinesis_settle_seconds * 1000))
    serve(app, settings.kinesis_port)


if __name__ == "__main__":
    main()
