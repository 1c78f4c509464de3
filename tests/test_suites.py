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


def test_the_long_tests_of_spark_run_only_when_they_are_asked_for() -> None:
    for name, steps in suites.SUITES.items():
        commands = [command for parts in steps for command in parts]
        of_spark = [command for command in commands if {"tests/include", *suites.WINDOWS} & set(command)]
        marks = [command[command.index("-m", 3) + 1] for command in of_spark]
        assert all((mark == "not long") == (name != "long") for mark in marks), f"SUITE={name}: {marks}"
        assert bool(marks) == (name in ("fast", "spark", "long", "all"))
