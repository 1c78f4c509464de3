import os
import shutil
import tempfile
from pathlib import Path

import pytest

from devstack import account
from devstack.config import Settings
from devstack.errors import StackError

AS_ROOT = os.geteuid() == 0


@pytest.fixture
def open_dir():
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_an_open_folder_holds_the_data_itself(open_dir):
    assert account.data_path(Settings(state_dir=open_dir), "mysql") == open_dir / "mysql"


@pytest.mark.skipif(not AS_ROOT, reason="only root drops privileges")
def test_below_a_private_folder_the_data_goes_where_the_account_can_reach(open_dir, monkeypatch):
    home = open_dir / "home"
    (home / "state").mkdir(parents=True)
    home.chmod(0o700)
    monkeypatch.setattr(account, "FALLBACK", open_dir)
    data = account.data_dir(Settings(state_dir=home / "state"), "mysql")
    assert data.parent == account.fallback_dir(home / "state")
    assert account.reachable(data)
    assert data.stat().st_uid != 0


@pytest.mark.skipif(not AS_ROOT, reason="only root drops privileges")
def test_a_fallback_folder_of_somebody_else_is_refused(open_dir, monkeypatch):
    home = open_dir / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setattr(account, "FALLBACK", open_dir)
    account.fallback_dir(home).mkdir()
    os.chown(account.fallback_dir(home), 65534, 65534)
    with pytest.raises(StackError, match=r"belongs to somebody else\. Repair:"):
        account.make_home(home)


def test_describing_services_makes_no_folder_outside_the_state(open_dir, monkeypatch):
    home = open_dir / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setattr(account, "FALLBACK", open_dir)
    account.data_path(Settings(state_dir=home / "state"), "mysql")
    assert list(open_dir.iterdir()) == [home]
