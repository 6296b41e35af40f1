from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from devstack import home as stack_home
from devstack.errors import StackError
from devstack.home import database_user, fetch_directory, one_at_a_time, prepare_home, remove_home, require_disk
from devstack.processes import switch_user
from devstack.settings import StackSettings

pytestmark = pytest.mark.unit
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_home_lets_others_pass_but_not_look(own_settings: StackSettings) -> None:
    prepare_home(own_settings)
    assert mode(own_settings.home) == 0o711
    assert mode(own_settings.logs) == 0o700
    assert mode(fetch_directory(own_settings)) & 0o007 == 0


@as_root
def test_the_database_server_reads_fetched_files_and_others_do_not(own_settings: StackSettings) -> None:
    prepare_home(own_settings)
    fetched = fetch_directory(own_settings) / "export.csv"
    fetched.write_text("1,2\n")
    fetched.chmod(0o640)
    read = ["/usr/bin/cat", str(fetched)]
    allowed = subprocess.run(read, check=False, capture_output=True, **switch_user(database_user()))
    refused = subprocess.run(read, check=False, capture_output=True, **switch_user("daemon"))
    assert (allowed.returncode, allowed.stdout) == (0, b"1,2\n")
    assert refused.returncode != 0


@as_root
def test_under_a_closed_folder_the_data_moves_out_and_a_link_stays(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    settings = StackSettings(home=closed / ".stack")
    said: list[str] = []
    try:
        real = prepare_home(settings, said.append)
        assert str(real).startswith("/var/tmp/stir-")  # noqa: S108
        assert settings.home.is_symlink()
        assert len(said) == 1
        assert str(real) in said[0]
        assert prepare_home(settings, said.append) == real
        assert len(said) == 1, "the second time nothing is new"
        shutil.rmtree(real)  # /var/tmp was cleaned up
        assert prepare_home(settings, said.append) == real
        remove_home(settings)
        assert not real.exists()
        assert not settings.home.is_symlink()
    finally:
        shutil.rmtree(settings.home.resolve(), ignore_errors=True)


def test_a_folder_with_other_files_is_neither_used_nor_deleted(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    tmp_path.chmod(0o755)
    settings = StackSettings(home=tmp_path)
    for action in (prepare_home, remove_home):
        with pytest.raises(StackError, match="holds other files"):
            action(settings)
    assert (tmp_path / "thesis.tex").read_text() == "precious"
    assert mode(tmp_path) == 0o755


def test_too_little_disk_is_one_sentence(own_settings: StackSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare_home(own_settings)
    require_disk(own_settings)
    monkeypatch.setattr(stack_home, "MINIMUM_FREE_BYTES", 10**18)
    with pytest.raises(StackError, match="STIR_STACK_HOME"):
        require_disk(own_settings)


def test_one_command_at_a_time(own_settings: StackSettings) -> None:
    prepare_home(own_settings)
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with one_at_a_time(own_settings, said.append):
            order.append("second")

    with one_at_a_time(own_settings, said.append):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        order.append("first")
        with pytest.raises(StackError, match=str(os.getpid())), one_at_a_time(own_settings, said.append, patience=0.1):
            pass
    waiting.join(5)
    assert order == ["first", "second"]
    assert any("waiting" in sentence for sentence in said)


def test_the_database_user_exists() -> None:
    user = database_user()
    assert user is None or pwd.getpwnam(user).pw_uid != 0
