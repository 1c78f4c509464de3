import pytest

from tests import suites


@pytest.mark.parametrize(("codes", "status"), [([0, 0], 0), ([1, 0], 1), ([0, 5], 1)])
def test_a_suite_passes_when_every_part_has_tests_that_pass(
    monkeypatch: pytest.MonkeyPatch, codes: list[int], status: int
) -> None:
    monkeypatch.setitem(suites.SUITES, "fast", [["sh", "-c", f"exit {code}"] for code in codes])
    assert suites.main("fast") == status
