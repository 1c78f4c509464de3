import pytest

from tests.e2e.conftest import Stack
from tests.listening import assert_loopback_only

pytestmark = pytest.mark.e2e


def test_every_socket_of_every_process_listens_on_loopback_only(stack: Stack) -> None:
    assert_loopback_only(stack.settings)
