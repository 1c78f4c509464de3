import pytest

from devstack import demo, memory, supervise
from devstack.config import Settings


class Started(Exception):  # noqa: N818 - no error
    """The stack would start now."""


def test_the_peak_of_the_last_demo_is_forgotten_before_the_stack_starts(tmp_path, monkeypatch):
    settings = Settings(state_dir=tmp_path)
    memory.record(settings).write_text('{"peak_megabytes": 1}')

    def up(*_):
        assert memory.peak(settings) is None
        raise Started

    monkeypatch.setattr(supervise, "up", up)
    with pytest.raises(Started):
        demo.main(settings)
