"""Connector properties of Aiven's and Confluent's S3 sinks, checked and brought to one form."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

AIVEN = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector"
CONFLUENT = "io.confluent.connect.s3.S3SinkConnector"
BYTES = "org.apache.kafka.connect.converters.ByteArrayConverter"
PLACEHOLDER = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)\}")
VARIABLE = re.compile(r"\{\{\s*(\w+)\s*(?::\s*([\w=|-]+)\s*)?\}\}")


class PropertiesError(Exception):
    """The connector properties cannot be used; the message lists every problem and ends with the repair."""


@dataclass(frozen=True)
class SinkConfig:
    """What the sink needs to know, whichever connector's properties said it."""

    name: str
    topics: tuple[str, ...]
    topics_regex: str | None
    bucket: str
    region: str
    endpoint: str | None
    access_key: str | None
    secret_key: str | None
    template: str
    padding: int
    max_records: int
    flush_seconds: float
    skip_null: bool

    def wants(self, topic: str) -> bool:
        """Tell whether a topic is to be read."""
        return topic in self.topics or bool(self.topics_regex and re.fullmatch(self.topics_regex, topic))

    def key(self, topic: str, partition: int, offset: int) -> str:
        """Name the object that starts at an offset; with the zero padding names sort as offsets do."""
        return self.template.format(
            topic=topic, partition=partition, start_offset=f"{offset:0{self.padding}d}"
        )

    def key_prefix(self, topic: str, partition: int) -> str:
        """Return what the names of a partition's objects have in common before the offset."""
        head = self.template.split("{start_offset}")[0]
        return head.format(topic=topic, partition=partition)

    def key_pattern(self, topic: str, partition: int) -> str:
        """Return the regular expression of a partition's object names; its group is the start offset."""
        mark = "\0"
        name = self.template.format(topic=topic, partition=partition, start_offset=mark)
        first, *rest = name.split(mark)
        return (
            re.escape(first)
            + r"(\d+)"
            + "".join(r"\1" + re.escape(part) for part in rest[:-1])
            + re.escape(rest[-1])
        )


class Reader:
    """Hands out properties one by one and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._left = dict(values)
        self.problems: list[str] = []

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return a property; an empty value counts as not given."""
        return self._left.pop(name, "") or default

    def need(self, name: str) -> str:
        """Return a property that must be there."""
        value = self.get(name)
        if value is None:
            self.problems.append(f"{name} is missing")
        return value or ""

    def whole(self, name: str, default: int | None = None, *, least: int = 1) -> int:
        """Return a whole number of at least `least`."""
        value = self.get(name, None if default is None else str(default))
        if value is not None and value.isascii() and value.isdigit() and int(value) >= least:
            return int(value)
        self.problems.append(
            f"{name}={'' if value is None else value} must be a whole number of at least {least}"
        )
        return least

    def only(self, name: str, wanted: str, default: str, why: str) -> None:
        """Ask for the one value that the pipeline can read."""
        value = self.get(name, default)
        if value != wanted:
            self.problems.append(f"{name}={value} must be {wanted}: {why}")

    def finish(self) -> None:
        """Count every property that nothing asked for as a problem."""
        self.problems += [f"{name} is not a property this sink knows" for name in sorted(self._left)]


def parse(text: str) -> dict[str, str]:
    """Parse Java properties: comments, line continuations, `=` or `:`, backslash escapes."""
    values: dict[str, str] = {}
    logical = re.sub(r"(?<!\\)((?:\\\\)*)\\\r?\n[ \t]*", r"\1", text)
    for line in logical.splitlines():
        line = line.strip()
        if not line or line[0] in "#!":
            continue
        found = re.match(r"((?:\\.|[^\\=:\s])+)\s*[=:\s]?\s*(.*)", line)
        if found:
            values[_unescape(found[1])] = _unescape(found[2])
    return values


def _unescape(text: str) -> str:
    named = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}

    def plain(found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if found[1] else named.get(found[2], found[2])

    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", plain, text)


def load(path: Path, environment: Mapping[str, str] | None = None) -> SinkConfig:
    """Read a connector's properties, fill their `${env:NAME}` from the environment and check them all."""
    given = os.environ if environment is None else environment
    try:
        values = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PropertiesError(
            f"{path}: {error.strerror}. Repair: give --config the connector properties."
        ) from error
    problems: list[str] = []

    def fill(found: re.Match[str]) -> str:
        if found[1] not in given:
            problems.append(f"the variable {found[1]} is not set")
        return given.get(found[1], "")

    reader = Reader({name: PLACEHOLDER.sub(fill, value) for name, value in values.items()})
    reader.problems = problems
    connector = reader.need("connector.class")
    dialect = DIALECTS.get(connector)
    if dialect is None:
        problems.append(f"connector.class={connector} must be {AIVEN} or {CONFLUENT}")
    config = dialect(reader) if dialect else None
    if dialect:
        reader.finish()
    if problems or config is None:
        listed = "".join(f"\n  - {problem}" for problem in problems)
        raise PropertiesError(
            f"{path}: {len(problems)} problem(s) in the connector properties:{listed}\n"
            "Repair: correct these lines; infra/connect/ holds a working file for each connector."
        )
    return config


def _topics(reader: Reader) -> tuple[tuple[str, ...], str | None]:
    """Return the topics' names, or one regular expression that a whole name must match."""
    names, regex = reader.get("topics"), reader.get("topics.regex")
    if (names is None) == (regex is None):
        reader.problems.append("give either topics or topics.regex")
    try:
        re.compile(regex or "")
    except re.error as error:
        reader.problems.append(f"topics.regex={regex} is no regular expression: {error}")
    return tuple(name.strip() for name in (names or "").split(",") if name.strip()), regex


def _common(reader: Reader) -> tuple[str, tuple[str, ...], str | None]:
    """Check what both connectors share; return the name, the topics and their regular expression."""
    name = reader.need("name")
    reader.whole("tasks.max", 1)
    for converter in ("key.converter", "value.converter"):
        reader.only(converter, BYTES, "(none)", "any other one prints the JSON anew")
    reader.only("consumer.override.auto.offset.reset", "earliest", "earliest", "records would be skipped")
    return name, *_topics(reader)


def _aiven(reader: Reader) -> SinkConfig:
    name, topics, regex = _common(reader)
    raw = "only csv with the one unencoded field `value` writes the value's bytes as they are"
    reader.only("format.output.type", "csv", "csv", f"{raw}; jsonl writes base64 or prints the numbers anew")
    reader.only("format.output.fields", "value", "value", raw)
    reader.only("format.output.fields.value.encoding", "none", "base64", raw)
    reader.only("format.output.envelope", "false", "false", "one plain JSON value a line is read")
    reader.only("file.compression.type", "none", "gzip", "the readers count lines in plain text")
    prefix = (reader.get("file.name.prefix") or "") + (reader.get("aws.s3.prefix") or "")
    template = _template(reader, prefix)
    for ignored in ("aws.s3.backoff.delay.ms", "aws.s3.backoff.max.delay.ms", "kafka.retry.backoff.ms"):
        reader.get(ignored)
    return SinkConfig(
        name=name,
        topics=topics,
        topics_regex=regex,
        bucket=reader.need("aws.s3.bucket.name"),
        region=reader.get("aws.s3.region", "us-east-1") or "",
        endpoint=reader.get("aws.s3.endpoint"),
        access_key=reader.get("aws.access.key.id"),
        secret_key=reader.get("aws.secret.access.key"),
        template=template,
        padding=20,
        max_records=reader.whole("file.max.records", 1000),
        flush_seconds=reader.whole("offset.flush.interval.ms", 60_000) / 1000,
        skip_null=False,
    )


def _template(reader: Reader, prefix: str) -> str:
    """Turn Aiven's `file.name.template` into a format string."""
    given = reader.get("file.name.template", "{{topic}}-{{partition}}-{{start_offset}}") or ""
    seen: dict[str, str] = {}

    def plain(found: re.Match[str]) -> str:
        seen[found[1]] = found[2] or ""
        return f"\0{found[1]}\1"

    text = VARIABLE.sub(plain, prefix + given).replace("{", "{{").replace("}", "}}")
    text = text.replace("\0", "{").replace("\1", "}")
    where = f"file.name.template={given}"
    if "timestamp" in seen:
        reader.problems.append(f"{where} holds a timestamp: an object written twice would get two names")
    for missing in {"topic", "partition", "start_offset"} - set(seen):
        reader.problems.append(f"{where} lacks {{{{{missing}}}}}: objects would overwrite each other")
    for unknown in set(seen) - {"topic", "partition", "start_offset", "timestamp"}:
        reader.problems.append(
            f"{where} holds {{{{{unknown}}}}}, which does not group by topic and partition"
        )
    if "start_offset" in seen and seen["start_offset"] != "padding=true":
        reader.problems.append(
            f"{where} needs {{{{start_offset:padding=true}}}}: names must sort as offsets do"
        )
    return text


def _confluent(reader: Reader) -> SinkConfig:
    name, topics, regex = _common(reader)
    raw = "it writes the value's bytes as they are, one value a line"
    reader.only("format.class", "io.confluent.connect.s3.format.bytearray.ByteArrayFormat", "(none)", raw)
    reader.only("format.bytearray.extension", ".json", ".bin", "the keys end with .json")
    reader.only("storage.class", "io.confluent.connect.s3.storage.S3Storage", "(none)", "objects go to S3")
    reader.only("s3.compression.type", "none", "none", "the readers count lines in plain text")
    default = "io.confluent.connect.storage.partitioner.DefaultPartitioner"
    reader.only("partitioner.class", default, default, "no wall clock may be in the key")
    reader.only("rotate.interval.ms", "-1", "-1", "it goes by the records' time and never lands the tail")
    reader.only("behavior.on.null.values", "ignore", "fail", "a tombstone would stop the connector")
    reader.only("schema.compatibility", "NONE", "NONE", "bytes have no schema")
    reader.get("timezone")
    rotate = reader.get("rotate.schedule.interval.ms", "-1") or "-1"
    if not (rotate.isdigit() and int(rotate) > 0):
        reader.problems.append(
            f"rotate.schedule.interval.ms={rotate}: a count-only flush never lands the tail"
        )
        rotate = "1000"
    folder = reader.get("topics.dir", "topics") or ""
    return SinkConfig(
        name=name,
        topics=topics,
        topics_regex=regex,
        bucket=reader.need("s3.bucket.name"),
        region=reader.get("s3.region", "us-west-2") or "",
        endpoint=reader.get("store.url"),
        access_key=reader.get("aws.access.key.id"),
        secret_key=reader.get("aws.secret.access.key"),
        template=folder + "/{topic}/partition={partition}/{topic}+{partition}+{start_offset}.json",
        padding=reader.whole("filename.offset.zero.pad.width", 10, least=10),
        max_records=reader.whole("flush.size"),
        flush_seconds=int(rotate) / 1000,
        skip_null=True,
    )


DIALECTS: dict[str, Callable[[Reader], SinkConfig]] = {AIVEN: _aiven, CONFLUENT: _confluent}
