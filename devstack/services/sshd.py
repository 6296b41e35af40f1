"""The database host as Airflow reaches it: a private sshd, key only, with the AWS CLI configured by file."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path

from devstack.errors import StackError
from devstack.services.base import Service, write_private
from devstack.services.s3 import REGION
from devstack.settings import HOST, StackSettings

PROGRAM = Path("/usr/sbin/sshd")

CONFIGURATION = """\
# Written at every start by the local stack.
ListenAddress {host}:{port}
HostKey "{folder}/host_ed25519"
PidFile none
AllowUsers {user}
PermitRootLogin prohibit-password
AuthorizedKeysFile "{folder}/authorized_keys"
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
# The key file lies in a folder of mode 0700, but its parents may be open, as /tmp is.
StrictModes no
AllowAgentForwarding no
AllowTcpForwarding no
X11Forwarding no
PermitTunnel no
PermitUserRC no
PrintMotd no
MaxStartups 50
UseDNS no
# A home of its own: the account's .bashrc, .ssh and .aws have no say here.
SetEnv "HOME={folder}/home" "AWS_CONFIG_FILE={folder}/aws_config" "PATH={path}"
"""

AWS_CONFIGURATION = """\
# For real AWS: remove `services` and its section, and use a role instead of keys.
[default]
region = {region}
aws_access_key_id = {access_key}
aws_secret_access_key = {secret_key}
services = stack
retries = standard
max_attempts = 5

[services stack]
s3 =
  endpoint_url = http://{host}:{s3_port}
"""


class SshdService(Service):
    name = "sshd"
    port_names = ("ssh",)

    @property
    def address(self) -> str:
        return f"ssh://{ssh_user()}@{HOST}:{self.settings.port('ssh')}"

    @property
    def umask(self) -> int:
        # Inherited by sessions: fetched exports must be readable for the database server's group (and nobody else).
        return 0o027

    def command(self) -> list[str | Path]:
        return [PROGRAM, "-D", "-e", "-f", self.data / "sshd_config"]

    def prepare(self) -> None:
        if not PROGRAM.exists():
            raise StackError("sshd is not installed: run `make up`, or `apt-get install openssh-server`.")
        if os.geteuid() == 0:
            # sshd insists on its privilege separation folder, which only a system-wide sshd's start creates.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        folder = ssh_folder(self.settings)
        ensure_keys(self.settings)
        (folder / "home").mkdir(exist_ok=True)
        write_private(folder / "authorized_keys", (folder / "client_ed25519.pub").read_text())
        write_private(
            folder / "aws_config",
            AWS_CONFIGURATION.format(
                region=REGION,
                access_key=self.secrets.s3_access_key,
                secret_key=self.secrets.s3_secret_key,
                host=HOST,
                s3_port=self.settings.port("s3"),
            ),
        )
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"])
        write_private(
            folder / "sshd_config",
            CONFIGURATION.format(host=HOST, port=self.settings.port("ssh"), folder=folder, user=ssh_user(), path=path),
        )

    def probe(self) -> bool:
        done = self.run("true", seconds=3)
        return done.returncode == 0

    def run(self, remote_command: str, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        """Run one command on the database host, as Airflow does: generated key, pinned host key, nothing else."""
        folder = ssh_folder(self.settings)
        options = [
            *("-F", "none", "-i", str(folder / "client_ed25519"), "-p", str(self.settings.port("ssh"))),
            *("-o", f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", "GlobalKnownHostsFile=/dev/null"),
            *("-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"),
            *("-o", "LogLevel=ERROR"),
        ]
        return subprocess.run(
            ["ssh", *options, f"{ssh_user()}@{HOST}", remote_command],
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            stdin=subprocess.DEVNULL,
        )


def ssh_user() -> str:
    """The account on the database host: whoever runs the stack."""
    return getpass.getuser()


def ssh_folder(settings: StackSettings) -> Path:
    return settings.home.resolve() / "data" / "sshd"


def ensure_keys(settings: StackSettings) -> None:
    """Generate the host key, the client key and the list of known hosts, once."""
    folder = ssh_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name in ("host_ed25519", "client_ed25519"):
        if not (folder / name).exists():
            command = [
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                f"stir-stack-{name}",
                "-f",
                str(folder / name),
            ]
            subprocess.run(command, check=True, capture_output=True)
    known = f"[{HOST}]:{settings.port('ssh')} {host_key(settings)}\n"
    write_private(folder / "known_hosts", known)


def host_key(settings: StackSettings) -> str:
    """Public host key as `ssh-ed25519 <base64>`, to pin in a connection."""
    return " ".join((ssh_folder(settings) / "host_ed25519.pub").read_text().split()[:2])
