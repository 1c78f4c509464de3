from devstack import java, kafka
from devstack.config import Settings
from devstack.sink.properties import parse


def test_java_finds_every_sign_in_a_file_of_latin_signs(tmp_path):
    values = {"log.dirs": "/home/zoë/データ/C:\\temp", "password": 'a"b=c#d'}
    java.write_properties(tmp_path / "x.properties", values)
    text = (tmp_path / "x.properties").read_text(encoding="latin-1")
    assert "zo\\u00eb" in text
    assert parse(text) == values


def test_a_state_folder_with_an_accent_reaches_kafka(tmp_path):
    settings = Settings(state_dir=tmp_path / "é")
    (settings.service_dir("kafka") / "data").mkdir()
    (settings.service_dir("kafka") / "data" / "meta.properties").touch()
    kafka.prepare(settings)
    text = (settings.service_dir("kafka") / "server.properties").read_text(encoding="latin-1")
    assert parse(text)["log.dirs"] == str(settings.state_dir / "kafka" / "data")
