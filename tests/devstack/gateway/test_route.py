import pytest

from devstack.gateway.definition import DefinitionError
from devstack.gateway.integration import HttpProxy
from devstack.gateway.route import Route, Router
from devstack.gateway.throttle import Throttle

NOWHERE = HttpProxy(b"http", b"h", 1, ("/",), {}, None, 1)


def router(*paths: str, method: bytes | None = None) -> Router:
    return Router(Route(path, method, False, {}, NOWHERE) for path in paths)


@pytest.mark.parametrize(
    ("path", "met", "parameters"),
    [
        (b"/streams", "/streams", {}),
        (b"/streams/s", "/streams/{stream-name}", {"stream-name": b"s"}),
        (b"/streams/s/record", "/streams/{stream-name}/record", {"stream-name": b"s"}),
        (b"/streams/s/other", "/{proxy+}", {"proxy": b"streams/s/other"}),
        (b"/a%2Fb/%ff//", "/{proxy+}", {"proxy": b"a%2Fb/%ff//"}),
        (b"/streams/", "/{proxy+}", {"proxy": b"streams/"}),
    ],
)
def test_the_most_literal_resource_is_met(path: bytes, met: str, parameters: dict[str, bytes]) -> None:
    paths = ("/{proxy+}", "/streams/{stream-name}", "/streams/{stream-name}/record", "/streams")
    found = router(*paths).find(b"GET", path)
    assert found is not None
    assert (found[0].path, found[1]) == (met, parameters)


def test_a_greedy_parameter_is_never_empty() -> None:
    assert router("/{proxy+}").find(b"GET", b"/") is None


def test_a_method_that_the_resource_lacks_is_no_route() -> None:
    assert router("/a", method=b"GET").find(b"POST", b"/a") is None


def test_half_a_parameter_is_refused() -> None:
    with pytest.raises(DefinitionError, match="no whole parameter"):
        router("/a{b}")


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    now = [100.0]
    throttle = Throttle(rate=2, burst=3, clock=lambda: now[0])
    assert [throttle.take() for _ in range(4)] == [True, True, True, False]
    now[0] += 0.5
    assert [throttle.take() for _ in range(2)] == [True, False]
    now[0] += 60
    assert [throttle.take() for _ in range(4)] == [True, True, True, False]
