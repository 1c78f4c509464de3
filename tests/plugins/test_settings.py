import pytest

from pinflow.errors import SettingsError
from pinflow.settings import Settings, parse_settings


def test_the_defaults_are_the_local_stack() -> None:
    settings = parse_settings({})
    assert settings.bucket == "user-12e834567890-bucket"
    assert settings.names()["silver"] == "`silver`"
    assert settings.code == "s3://user-12e834567890-bucket/code"


def test_names_carry_the_catalog() -> None:
    settings = Settings(catalog="main", code_root="/Volumes/main/ops/code")
    assert settings.names()["gold"] == "`main`.`gold`"


def test_every_error_is_listed_at_once() -> None:
    raw = {"user_id": "xyz", "grace_minutes": -1, "sink": {"offset_padding": 3}, "colour": "red"}
    with pytest.raises(SettingsError) as caught:
        parse_settings(raw)
    message = str(caught.value)
    assert "4 error(s)" in message
    for field in ("user_id", "grace_minutes", "sink.offset_padding", "colour"):
        assert field in message
    assert "Repair: edit the Variable" in message


def test_retention_of_nothing_is_for_ever_and_files_leave_early_only_when_told_so() -> None:
    kept = parse_settings({"retention": {"landed_days": 0, "manifest_days": None}}).retention
    assert (kept.landed_days, kept.manifest_days, kept.snapshot_days) == (None, None, 7)
    assert parse_settings({}).names()["vacuum_hours"] == "168"
    early = parse_settings({"retention": {"vacuum_hours": 0, "vacuum_early": True}})
    assert early.names()["vacuum_hours"] == "0"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"compute": {"kind": "existing_cluster"}}, "existing_cluster_id"),
        ({"compute": {"kind": "new_cluster"}}, "cluster specification"),
        ({"catalog": "main"}, "/Volumes/"),
        ({"code_root": "dbfs:/code"}, "s3:// or /Volumes/"),
        ({"schemas": {"gold": "x`; DROP"}}, "schemas.gold"),
        ({"retention": {"landed_days": 2}}, "retention.landed_days: .*2 days are fewer .* 3 or more"),
        ({"retention": {"manifest_days": -1}}, "retention.manifest_days"),
        ({"retention": {"vacuum_hours": 167}}, "vacuum_early"),
        ("text", "not a JSON object"),
    ],
)
def test_contradictions_are_refused_in_words(raw: object, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        parse_settings(raw)


def test_an_unset_variable_says_where_to_set_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import Variable

    from pinflow.settings import load_settings

    monkeypatch.setattr(Variable, "get", lambda *a, **k: None)
    with pytest.raises(SettingsError, match="Admin > Variables"):
        load_settings()


def test_broken_json_is_told_apart_from_an_unset_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.sdk import Variable

    from pinflow.settings import load_settings

    monkeypatch.setattr(Variable, "get", lambda *a, **k: "{'user_id': 1}")
    with pytest.raises(SettingsError, match="is no JSON"):
        load_settings()
