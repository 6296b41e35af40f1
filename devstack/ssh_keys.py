"""Keys of the stack's sshd: generated once, the host's pinned, the client's the only way in."""

from __future__ import annotations

import fcntl
import getpass
import subprocess
from pathlib import Path

from devstack.settings import HOST, StackSettings


def ssh_user() -> str:
    """The account on the database host: whoever runs the stack."""
    return getpass.getuser()


def ssh_folder(settings: StackSettings) -> Path:
    return settings.home.resolve() / "data" / "sshd"


def client_key(settings: StackSettings) -> Path:
    """Private key of the platform, mode 0600."""
    return ssh_folder(settings) / "client_ed25519"


def ensure_keys(settings: StackSettings) -> None:
    """Generate the host key, the client key and the list of known hosts, once."""
    folder = ssh_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in ("host_ed25519", "client_ed25519"):
            if not (folder / f"{name}.pub").exists():
                (folder / name).unlink(missing_ok=True)
                command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"stir-{name}", "-f", folder / name]
                subprocess.run([str(part) for part in command], check=True, capture_output=True)
        known = f"[{HOST}]:{settings.port('ssh')} {_public_host_key(folder)}\n"
        (folder / "known_hosts").write_text(known)


def host_key(settings: StackSettings) -> str:
    """Public host key as `ssh-ed25519 <base64>`, to pin in a connection. Generated on first use."""
    folder = ssh_folder(settings)
    if not (folder / "known_hosts").exists():
        ensure_keys(settings)
    return _public_host_key(folder)


def _public_host_key(folder: Path) -> str:
    return " ".join((folder / "host_ed25519.pub").read_text().split()[:2])
