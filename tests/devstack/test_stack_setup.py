"""Set-up on machines that lack something: rights, network, the right Python, disk, packages.

The machine is played by a PATH of few programs; nothing is installed and no service is touched.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from devstack.settings import REPOSITORY

pytestmark = pytest.mark.unit

SETUP = REPOSITORY / "devstack" / "setup.sh"
BASICS = (
    *("bash", "sh", "cat", "sha256sum", "cut", "mktemp", "rm", "sleep", "tail", "grep", "df", "awk", "dirname"),
    *("flock", "kill", "sed", "mv", "chmod", "env", "head", "git", "true"),
)


class Machine:
    """A PATH of its own: the basic programs, and stand-ins that the test writes."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "bin"
        self.programs.mkdir()
        self.venv = folder / "venv"
        for name in BASICS:
            found = shutil.which(name)
            assert found, name
            (self.programs / name).symlink_to(found)

    def program(self, name: str, script: str) -> None:
        path = self.programs / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def real(self, name: str, path: str) -> None:
        (self.programs / name).symlink_to(path)

    def run(self, *arguments: str, command: list[str] | None = None, **variables: str) -> subprocess.CompletedProcess:
        environment = {
            "PATH": str(self.programs),
            "HOME": "/nonexistent",
            "STIR_SETUP_VENV": str(self.venv),
            **variables,
        }
        return subprocess.run(
            [*(command or []), str(SETUP), *arguments],
            env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.real("python3", "/usr/bin/python3")
    machine.real("shellcheck", shutil.which("shellcheck") or "/usr/bin/true")
    return machine


def test_when_nothing_is_to_do_it_takes_less_than_a_second(machine: Machine) -> None:
    requirements = b"".join((REPOSITORY / name).read_bytes() for name in ("requirements.txt", "requirements-dev.txt"))
    state = subprocess.run(["sha256sum"], input=requirements, capture_output=True, check=True).stdout.split()[0]
    machine.venv.mkdir()
    (machine.venv / ".stir-requirements").write_bytes(state + b"\n")
    best = 99.0
    for _ in range(3):  # the best of three, because other programs share this machine
        begun = time.monotonic()
        done = machine.run("--for", "lint")
        best = min(best, time.monotonic() - begun)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert best < 1.0


def test_missing_packages_without_root_and_sudo_are_one_sentence_with_the_command(
    machine: Machine, tmp_path: Path
) -> None:
    (machine.programs / "shellcheck").unlink()
    machine.program("apt-get", "echo apt-get was called >&2; exit 1")
    for folder in (tmp_path, *tmp_path.parents):
        if folder.is_relative_to(tempfile.gettempdir()) and folder != Path(tempfile.gettempdir()):
            folder.chmod(0o755)
    as_nobody = ["/usr/bin/setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    refused = machine.run("--for", "lint", command=as_nobody)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1, refused.stderr
    assert "apt-get install --no-install-recommends shellcheck" in refused.stderr
    assert "apt-get was called" not in refused.stderr


def test_an_unreachable_package_index_is_one_sentence_and_leaves_no_environment(machine: Machine) -> None:
    for index in ({"UV_INDEX_URL": "http://127.0.0.1:9/simple"}, {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}):
        machine.program("uv", _uv_without_cache())
        refused = machine.run("--for", "lint", **index)
        assert refused.returncode == 1
        assert "check the network or the proxy" in refused.stderr
        assert refused.stderr.count("\n") == 1, refused.stderr
        assert not machine.venv.exists()


def _uv_without_cache() -> str:
    return f'HOME={os.environ["HOME"]!r} exec {_working_uv()!r} --no-cache --no-config "$@"'


def _working_uv() -> str:
    """The uv on the PATH, or the one that set-up put beside this Python; a shim with no uv behind it does not count."""
    beside = str(Path(sys.executable).parent / "uv")
    for candidate in (shutil.which("uv"), beside):
        if candidate and Path(candidate).exists():
            found = subprocess.run([candidate, "--version"], capture_output=True, check=False)
            if found.returncode == 0:
                return candidate
    raise AssertionError(f"no working uv on the PATH nor at {beside}: run `make setup`")


def test_the_wrong_python_is_one_sentence(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.program("python3", 'if [[ $1 == --version ]]; then echo "Python 3.9.2"; else exit 1; fi')
    refused = machine.run("--for", "lint", STIR_PYTHON="python3")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    for part in ("3.11 or 3.12", "Python 3.9.2", "STIR_PYTHON"):
        assert part in refused.stderr


def test_a_full_disk_is_one_sentence_before_anything_is_made(machine: Machine) -> None:
    machine.program("uv", "exit 0")
    machine.program("df", "echo header; echo /dev/vda 1000 500 120000 50% /")
    refused = machine.run("--for", "lint")
    assert refused.returncode == 1
    assert "Only 120 MB are free" in refused.stderr
    assert not machine.venv.exists()


def test_wrong_usage(machine: Machine) -> None:
    for arguments in (("--for", "everything"), ("--fast",)):
        assert machine.run(*arguments).returncode == 2


# The part that runs as root

INSTALLER = REPOSITORY / "devstack" / "install_packages.sh"


@pytest.fixture
def installation(machine: Machine, tmp_path: Path):
    """Runs the installer with stand-ins for apt, dpkg and systemctl that write down what they were asked."""
    policy = tmp_path / "policy-rc.d"
    calls = tmp_path / "calls"
    machine.program("dpkg-query", "exit 1")
    machine.program("systemctl", f'echo "systemctl $*" >> {calls}')

    def run(apt_get: str) -> subprocess.CompletedProcess:
        machine.program("apt-get", f'echo "apt-get $*" >> {calls}\n{apt_get}')
        return subprocess.run(
            [str(INSTALLER), "rabbitmq-server"],
            env={"PATH": str(machine.programs), "STIR_SETUP_POLICY": str(policy)},
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip

    return run, policy, calls


FORBIDS = 'policy="$STIR_SETUP_POLICY"; "$policy" rabbitmq-server start; [[ $? == 101 ]] || exit 7'


def test_no_service_may_start_while_packages_are_installed(installation) -> None:
    run, policy, calls = installation
    done = run(FORBIDS)
    assert done.returncode == 0, done.stderr
    assert not policy.exists()
    assert "install --yes --no-install-recommends rabbitmq-server" in calls.read_text()


@pytest.mark.parametrize("accident", ["exit 100", "kill -TERM $PPID; sleep 1", "kill -INT $PPID; exit 1"])
def test_the_policy_is_put_back_as_it_was_whatever_happens(installation, accident: str) -> None:
    run, policy, _ = installation
    policy.write_text("#!/bin/sh\n# the administrator's own\nexit 0\n")
    policy.chmod(0o750)
    assert run(f"{FORBIDS}\n{accident}").returncode != 0
    assert "the administrator's own" in policy.read_text()
    assert stat.S_IMODE(policy.stat().st_mode) == 0o750
    assert sorted(path.name for path in policy.parent.glob("policy-rc.d*")) == ["policy-rc.d"]


def test_what_a_killed_installation_left_is_repaired_by_the_next(installation) -> None:
    run, policy, _ = installation
    assert run("kill -KILL $PPID; sleep 1").returncode != 0
    assert policy.exists()
    assert run(FORBIDS).returncode == 0
    assert not policy.exists()
