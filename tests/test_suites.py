import pytest

from tests import suites


@pytest.mark.parametrize(
    ("steps", "status"),
    [([[0, 0]], 0), ([[0], [0]], 0), ([[1, 0]], 1), ([[0, 1]], 1), ([[1], [0]], 1), ([[0], [0, 5]], 1)],
)
def test_a_suite_passes_when_every_part_has_tests_that_pass(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], steps: list[list[int]], status: int
) -> None:
    parts = [[["sh", "-c", f"echo part {code}; exit {code}"] for code in step] for step in steps]
    monkeypatch.setitem(suites.SUITES, "fast", parts)
    assert suites.main("fast") == status
    shown = capfd.readouterr().out
    for code in (code for step in steps for code in step):
        assert f"\npart {code}\n" in shown
    assert shown.count("passed after") + shown.count("FAILED after") == sum(map(len, steps))
