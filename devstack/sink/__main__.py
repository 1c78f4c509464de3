"""Run the sink: `python -m devstack.sink --config FILE --bootstrap-servers HOST:PORT`."""

import argparse
import logging
import os
import signal
import sys
from pathlib import Path

from confluent_kafka import KafkaException

from devstack.sink.consumer import Sink, connect
from devstack.sink.properties import PropertiesError, SinkConfig, load
from devstack.sink.store import Store, StoreError

log = logging.getLogger("sink")


def main() -> int:
    """Run until SIGTERM; exit 2 on wrong properties, 1 when Kafka or the bucket cannot be reached."""
    parser = argparse.ArgumentParser(prog="devstack.sink", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="connector properties")
    parser.add_argument("--bootstrap-servers", required=True, metavar="HOST:PORT")
    parser.add_argument("--ready-file", type=Path, help="written once Kafka and the bucket answer")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    try:
        config = load(options.config)
    except PropertiesError as error:
        log.error("%s", error)
        return 2
    try:
        return run(config, options.bootstrap_servers, options.ready_file)
    except (KafkaException, StoreError) as error:
        log.error("%s. Repair: start Kafka and S3 (`python -m devstack up sink`) and see their logs.", error)
        return 1


def run(config: SinkConfig, bootstrap: str, ready_file: Path | None) -> int:
    """Consume until a signal asks to stop; then write what waits and leave."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda given, _frame: stopping.append(given))
    store = Store(config)
    store.check()
    sink = Sink(config, store, connect(config, bootstrap))
    if ready_file is not None:
        ready_file.parent.mkdir(parents=True, exist_ok=True)
        ready_file.write_text(f"{os.getpid()}\n")
    log.info("reading %s into s3://%s", config.topics_regex or ", ".join(config.topics), config.bucket)
    try:
        while not stopping:
            sink.step()
    finally:
        if ready_file is not None:
            ready_file.unlink(missing_ok=True)
    sink.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
