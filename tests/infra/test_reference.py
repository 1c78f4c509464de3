"""docs/configuration.md says what the code does now."""

from pathlib import Path
from typing import Any

import pytest

from infra.reference import page, uses
from infra.reference.uses import Uses

REPO = Path(__file__).resolve().parents[2]


def test_the_page_is_what_would_be_made_now() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run `make contracts`"


@pytest.mark.parametrize(
    ("module", "name", "connections", "some", "none"),
    [
        ("pinflow.sensors.new_posts", "NewPostsSensor", {"pinterest_rds"}, {"grace_minutes"}, {"bucket"}),
        (
            "pinflow.operators.mysql_to_kafka", "MySqlToKafkaOperator",
            {"pinterest_rds", "pinterest_api", "pinterest_kafka", "pinterest_aws"}, {"transport"}, {"compute"},
        ),
        (
            "pinflow.operators.mysql_to_kinesis", "MySqlToKinesisOperator",
            {"pinterest_rds", "pinterest_api", "pinterest_aws"}, {"transport", "user_id"}, {"sink"},
        ),
        ("pinflow.setup", "create_topics", {"pinterest_kafka"}, {"topic_partitions", "user_id"}, {"bucket"}),
        (
            "pinflow.operators.spark_job", "PinsparkRunOperator",
            {"pinterest_databricks"}, {"compute", "catalog", "serving"}, {"warehouse_id"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value[0].isupper() else "",
)  # fmt: skip
def test_what_a_task_reaches_is_followed_through_hooks_and_settings(
    module: str, name: str, connections: set[str], some: set[str], none: set[str]
) -> None:
    from pinflow.settings import Settings

    found = uses.uses(module, name)
    settings = uses.settings_of(found, set(Settings.model_fields))
    assert found.connections == connections
    assert some <= settings
    assert not none & settings


def test_a_setting_or_connection_without_a_text_is_named() -> None:
    told: dict[str, Any] = page.texts()
    used = {"pinterest_batch.x": Uses(connections={"pinterest_new"})}
    with pytest.raises(SystemExit, match=r"pinterest_new.*Repair: "):
        page.connections({}, used)
    with pytest.raises(SystemExit, match=r"bucket.*Repair: "):
        page.settings({name: text for name, text in told["settings"].items() if name != "bucket"}, {})


def test_every_setting_is_read_by_a_task() -> None:
    assert "nothing yet" not in page.PAGE.read_text(encoding="utf-8")
