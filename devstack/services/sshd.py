"""The database host as Airflow reaches it: a private sshd, key only, with the AWS CLI configured by file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from devstack.errors import StackError
from devstack.services.base import Service, write_private
from devstack.services.s3 import REGION
from devstack.settings import HOST
from devstack.ssh_keys import client_key, ensure_keys, ssh_folder, ssh_user

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
            *("-F", "none", "-i", str(client_key(self.settings)), "-p", str(self.settings.port("ssh"))),
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
