from pathlib import Path

import pytest

from devstack.config import REPO, Settings
from devstack.sink import environment
from devstack.sink.properties import AIVEN, CONFLUENT, PropertiesError, load, parse

CONNECT = REPO / "infra" / "connect"
GIVEN = environment(Settings())
TOPIC = "12e834567890.pin"


def problems(tmp_path: Path, source: str, *changes: tuple[str, str | None]) -> str:
    """Load an example with properties replaced, added, or (None) removed; return the error."""
    values = parse((CONNECT / source).read_text())
    for name, value in changes:
        values.pop(name, None)
        if value is not None:
            values[name] = value
    path = tmp_path / "sink.properties"
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    with pytest.raises(PropertiesError) as raised:
        load(path, GIVEN)
    return str(raised.value)


def test_the_aiven_example_names_objects_with_twenty_digits() -> None:
    config = load(CONNECT / "s3-sink.properties", GIVEN)
    assert config.key(TOPIC, 2, 1234) == f"topics/{TOPIC}/partition=2/{TOPIC}+2+00000000000000001234.json"
    assert (config.max_records, config.flush_seconds, config.skip_null) == (1000, 1.0, False)
    assert [config.wants(name) for name in (TOPIC, f"x{TOPIC}", "12e834567890pin")] == [True, False, False]
    assert (config.bucket, config.endpoint) == ("user-12e834567890-bucket", "http://127.0.0.1:29900")


def test_the_confluent_example_names_objects_with_ten_digits() -> None:
    config = load(CONNECT / "s3-sink.confluent.properties", GIVEN)
    assert config.key(TOPIC, 0, 7) == f"topics/{TOPIC}/partition=0/{TOPIC}+0+0000000007.json"
    assert (config.max_records, config.flush_seconds, config.skip_null) == (1000, 1.0, True)


def test_without_an_endpoint_and_keys_the_sink_asks_aws_itself() -> None:
    empty = GIVEN | {
        name: "" for name in ("PINFLOW_S3_ENDPOINT", "PINFLOW_S3_ACCESS_KEY", "PINFLOW_S3_SECRET_KEY")
    }
    config = load(CONNECT / "s3-sink.properties", empty)
    assert (config.endpoint, config.access_key, config.secret_key) == (None, None, None)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("file.compression.type", "gzip", "count lines in plain text"),
        ("file.compression.type", None, "file.compression.type=gzip must be none"),
        ("format.output.envelope", "true", "one plain JSON value a line"),
        ("format.output.type", "jsonl", "jsonl writes base64"),
        ("format.output.fields", "key,value", "must be value"),
        ("format.output.fields.value.encoding", None, "value.encoding=base64 must be none"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter", "prints the JSON anew"),
        (
            "file.name.template",
            "{{topic}}/{{partition}}/{{start_offset:padding=true}}-{{timestamp:unit=dd}}",
            "two names",
        ),
        ("file.name.template", "{{topic}}/{{partition}}/{{start_offset}}.json", "names must sort"),
        ("file.name.template", "{{topic}}/{{start_offset:padding=true}}", "lacks {{partition}}"),
        ("file.name.template", "{{topic}}{{partition}}{{start_offset:padding=true}}{{key}}", "{{key}}"),
        ("offset.flush.interval.ms", "soon", "offset.flush.interval.ms=soon must be a whole number"),
        ("file.max.records", "0", "at least 1"),
        ("topics.regex", "(", "no regular expression"),
        ("topics", "one", "either topics or topics.regex"),
        ("flush.size", "1000", "flush.size is not a property this sink knows"),
        ("connector.class", "org.example.Sink", "connector.class=org.example.Sink must be"),
        ("aws.s3.bucket.name", None, "aws.s3.bucket.name is missing"),
        ("aws.s3.bucket.name", "${env:NOWHERE}", "the variable NOWHERE is not set"),
    ],
)
def test_properties_of_aiven_that_would_break_the_pipeline_are_refused(
    tmp_path: Path, name: str, value: str | None, said: str
) -> None:
    message = problems(tmp_path, "s3-sink.properties", (name, value))
    assert said in message
    assert message.splitlines()[-1].startswith("Repair: ")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rotate.schedule.interval.ms", None, "a count-only flush never lands the tail"),
        ("rotate.interval.ms", "1000", "never lands the tail"),
        ("s3.compression.type", "gzip", "count lines in plain text"),
        ("format.class", "io.confluent.connect.s3.format.json.JsonFormat", "ByteArrayFormat"),
        ("format.bytearray.extension", None, ".bin must be .json"),
        (
            "partitioner.class",
            "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
            "no wall clock",
        ),
        ("behavior.on.null.values", None, "a tombstone would stop the connector"),
        ("flush.size", None, "flush.size="),
        ("file.max.records", "10", "file.max.records is not a property"),
    ],
)
def test_properties_of_confluent_that_would_break_the_pipeline_are_refused(
    tmp_path: Path, name: str, value: str | None, said: str
) -> None:
    assert said in problems(tmp_path, "s3-sink.confluent.properties", (name, value))


def test_topics_may_be_listed(tmp_path: Path) -> None:
    path = tmp_path / "sink.properties"
    text = (CONNECT / "s3-sink.properties").read_text()
    path.write_text(text.replace("topics.regex=${env:PINFLOW_USER_ID}[.].*", "topics=one, two"))
    config = load(path, GIVEN)
    assert [config.wants(name) for name in ("one", "two", "three")] == [True, True, False]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    message = problems(
        tmp_path,
        "s3-sink.properties",
        ("file.compression.type", "gzip"),
        ("format.output.envelope", "true"),
        ("x", "1"),
    )
    assert "3 problem(s)" in message


def test_a_missing_file_is_told_with_its_repair(tmp_path: Path) -> None:
    with pytest.raises(PropertiesError, match=r"No such file.*Repair: "):
        load(tmp_path / "none.properties", GIVEN)


def test_java_properties_are_read_as_java_reads_them() -> None:
    text = "# a\n! b\n\na=1\n b : two words \nc\\=d=e\\\\f\nlong=x,\\\n   y\nu=\\u00e9\\t\nempty=\n"
    assert parse(text) == {"a": "1", "b": "two words", "c=d": "e\\f", "long": "x,y", "u": "é\t", "empty": ""}


@pytest.mark.parametrize("connector", [AIVEN, CONFLUENT])
def test_a_class_alone_lists_what_is_missing(tmp_path: Path, connector: str) -> None:
    path = tmp_path / "sink.properties"
    path.write_text(f"connector.class={connector}\n")
    with pytest.raises(PropertiesError, match="name is missing"):
        load(path, {})


def test_object_names_are_found_again_by_their_pattern() -> None:
    import re

    config = load(CONNECT / "s3-sink.properties", GIVEN)
    found = re.fullmatch(config.key_pattern(TOPIC, 1), config.key(TOPIC, 1, 90))
    assert found is not None
    assert int(found[1]) == 90
    assert config.key(TOPIC, 1, 90).startswith(config.key_prefix(TOPIC, 1))
    assert not re.fullmatch(config.key_pattern(TOPIC, 1), config.key(TOPIC, 11, 90))
