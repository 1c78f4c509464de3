import pytest

from devstack import mariadb
from devstack.errors import StackError


@pytest.fixture
def program(tmp_path):
    """A server program that says something and fails."""

    def write(words):
        path = tmp_path / "mariadbd"
        path.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 127\n")
        path.chmod(0o755)
        return path

    return write


def test_what_the_loader_said_is_told(program):
    words = "error while loading shared libraries: libaio.so.1: cannot open shared object file"
    with pytest.raises(StackError, match=rf"does not run: {words}\. Repair: set DEVSTACK_SOURCE_DB_BINARY"):
        mariadb._check_version(program(words))


def test_a_missing_libcrypt_names_its_package(program):
    words = "error while loading shared libraries: libcrypt.so.1: cannot open shared object file"
    with pytest.raises(
        StackError, match=r"libcrypt\.so\.1.* Repair: install libxcrypt-compat .*, or set DEV"
    ):
        mariadb._check_version(program(words))
