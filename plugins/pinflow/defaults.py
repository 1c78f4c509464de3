"""What every task of every DAG has: owner, retries, time-outs."""

from datetime import timedelta
from typing import Any

OWNER = "pinflow"
TASK_TIMEOUT = timedelta(hours=2)
WAIT_TIMEOUT = timedelta(hours=6)

DEFAULT_ARGS: dict[str, Any] = {
    "owner": OWNER,
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": TASK_TIMEOUT,
}
