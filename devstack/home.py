"""The folder of the stack: created, readable for the database server's user, and used by one command at a time."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from devstack.errors import StackError
from devstack.processes import switch_user
from devstack.settings import StackSettings

MARKER = "stir-stack"
"""An empty file in every folder that the stack made, so that no other folder is ever changed or deleted."""

MINIMUM_FREE_BYTES = 2_000_000_000


def database_user() -> str | None:
    """The user that PostgreSQL's server runs as when this is root (it refuses to run as root); None: as ourselves."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise StackError(
        "PostgreSQL cannot run as root and there is no user `postgres`: install it with `apt-get install postgresql`."
    )


def prepare_home(settings: StackSettings, say: Callable[[str], None] = lambda _: None) -> Path:
    """Create the stack's folder where PostgreSQL's user can reach it, and return its real path.

    Under a closed home (`/root`, mode 0700) that user sees nothing; the folder is then kept in /var/tmp and the
    configured place becomes a link to it, which `say` is told in one line.
    """
    home = settings.home.absolute()
    try:
        if home.is_symlink() and not home.exists():
            home.readlink().mkdir(mode=0o711)
        if home.exists():
            _require_own(home)
            home.chmod(0o711)
        if not _reachable(home, database_user()):
            target = _place_outside(home)
            say(f"{home} cannot be entered by the user {database_user()}, so the stack's data is kept in {target}.")
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)  # other users may pass through to what is opened to them below, but not look around
        (home / MARKER).touch()
        for folder, mode in ((settings.home / "data", 0o711), (settings.run, 0o700), (settings.logs, 0o700)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
        fetch = fetch_directory(settings)
        fetch.mkdir(exist_ok=True)
        if (user := database_user()) is not None:
            os.chown(fetch, 0, pwd.getpwnam(user).pw_gid)
        fetch.chmod(0o2750)  # files in it belong to the database server's group, whoever writes them
    except PermissionError as error:
        raise StackError(
            f"The stack's folder {home} cannot be written ({error.strerror}: {error.filename}): "
            "name another with STIR_STACK_HOME."
        ) from error
    return home.resolve()


def fetch_directory(settings: StackSettings) -> Path:
    """Where the database host keeps fetched exports: written over ssh, read by PostgreSQL's server process."""
    return settings.data("serving_fetch")


def require_disk(settings: StackSettings) -> None:
    """Raise StackError if there is too little room for the stack to start safely."""
    free = shutil.disk_usage(settings.home).free
    if free < MINIMUM_FREE_BYTES:
        raise StackError(
            f"Only {free / 1e9:.1f} GB are free under {settings.home}, and the stack needs "
            f"{MINIMUM_FREE_BYTES / 1e9:.0f} GB: make room, or name a folder on another disk with STIR_STACK_HOME."
        )


def _require_own(home: Path) -> None:
    """Refuse a folder that holds somebody's files: its mode would be changed, and `clean` would delete them."""
    names = {entry.name for entry in home.iterdir()}
    if names - {"secrets.json"} and MARKER not in names:
        raise StackError(
            f"STIR_STACK_HOME={home} holds other files: name a folder that does not exist yet, or an empty one."
        )


def _reachable(home: Path, user: str | None) -> bool:
    if user is None:
        return True
    existing = home
    while not existing.exists():
        existing = existing.parent
    return subprocess.run(["test", "-x", existing.resolve()], cwd="/", check=False, **switch_user(user)).returncode == 0


def _place_outside(home: Path) -> Path:
    repository = hashlib.sha256(str(home).encode()).hexdigest()[:10]
    target = Path(f"/var/tmp/stir-{repository}")  # noqa: S108 -- kept over reboots, and its owner is checked below
    if home.is_dir() and not home.is_symlink():
        shutil.move(home, target)
    else:
        target.mkdir(mode=0o711, exist_ok=True)
    if target.is_symlink() or target.stat().st_uid != os.geteuid():
        raise StackError(
            f"{target} belongs to somebody else: remove it, or name the stack's folder with STIR_STACK_HOME."
        )
    home.parent.mkdir(parents=True, exist_ok=True)
    home.symlink_to(target)
    return target


def remove_home(settings: StackSettings) -> None:
    """Delete the stack's folder, also where it is only linked."""
    home = settings.home.absolute()
    _require_own(home)
    if home.is_symlink():
        shutil.rmtree(home.resolve(), ignore_errors=True)
        home.unlink()
    elif home.exists():
        shutil.rmtree(home)


@contextmanager
def one_at_a_time(settings: StackSettings, say: Callable[[str], None], patience: float = 180.0) -> Iterator[None]:
    """Hold the stack's lock, so that two commands at once do not start or stop the same services.

    The kernel releases it with the process, so a killed command leaves no lock behind.
    """
    path = settings.home / "lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + patience
        told = False
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                owner = os.pread(descriptor, 100, 0).decode().strip() or "unknown"
                if time.monotonic() > deadline:
                    raise StackError(
                        f"Another command has been changing this stack for {patience:.0f} s (pid {owner}): "
                        "wait for it or stop it."
                    ) from None
                if not told:
                    say(f"Another command is changing this stack (pid {owner}); waiting for it.")
                    told = True
                time.sleep(0.2)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
