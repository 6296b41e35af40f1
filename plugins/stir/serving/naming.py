"""Names of everything that one run creates: object key, fetched file, working tables, and how leftovers are told
apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from stir.serving.declaration import Target
from stir.serving.export import PACKED, StagingFormat

OWNER = "stir.serving"
DIGEST_LENGTH = 10


@dataclass(frozen=True)
class Environment:
    """Where a target is published: the name that keeps objects and files apart, and the Airflow connections."""

    name: str
    postgres: str
    ssh: str
    clickhouse: str = "clickhouse_gcc"


PRODUCTION = Environment("prod", "prod_pg", "ssh_prod_pg")
STAGING = Environment("staging", "stage_pg", "ssh_stage_pg")
ENVIRONMENTS = {environment.name: environment for environment in (PRODUCTION, STAGING)}


@dataclass(frozen=True)
class RunNames:
    """Names of one run of one target. `dag_id` and `run_id` are Airflow's; a name differs between any two runs."""

    target: Target
    environment: Environment
    dag_id: str
    run_id: str

    @property
    def digest(self) -> str:
        """Short identity of the run, part of each of its names."""
        whole = f"{self.dag_id}\n{self.run_id}"
        return hashlib.sha256(whole.encode()).hexdigest()[:DIGEST_LENGTH]

    def object_key(self, prefix: str, attempt: int, staging_format: StagingFormat) -> str:
        """`<prefix>/<environment>/<dataset>/<run id>.try<n>.<ext>`, with the run id in characters that every tool
        takes.
        """
        run = re.sub(r"[^A-Za-z0-9_.-]", "-", self.run_id)
        folder = object_folder(prefix, self.target, self.environment)
        return f"{folder}{run}-{self.digest}.try{attempt}.{staging_format.extension}"

    def file_name(self, key: str) -> str:
        """Name of the fetched and unpacked file: as long as the key's last part differs per try, so does this."""
        return f"{file_prefix(self.target, self.environment)}{key.rsplit('/', 1)[-1].removesuffix(PACKED)}"

    @property
    def staged_table(self) -> str:
        """Table that COPY fills when an enrichment follows."""
        return f"{self.target.name}_raw_{self.digest}"

    @property
    def working_table(self) -> str:
        """Table that becomes the next generation."""
        return f"{self.target.name}_tmp_{self.digest}"

    def working_index(self, number: int) -> str:
        """Name of the working table's index until the swap; `number` is its place in the declaration."""
        return f"{self.working_table}_{number}"

    def tag(self, now: datetime | None = None) -> str:
        """Comment of the working tables: says who owns them, since when."""
        created = (now or datetime.now(UTC)).isoformat(timespec="seconds")
        return json.dumps(
            {"owner": OWNER, "target": self.target.name, "dag": self.dag_id, "run": self.run_id, "created": created}
        )


def object_folder(prefix: str, target: Target, environment: Environment) -> str:
    """Folder of one target's objects, with a trailing slash."""
    return f"{prefix.strip('/')}/{environment.name}/{target.name}/"


def file_prefix(target: Target, environment: Environment) -> str:
    """What the name of each fetched file of one target begins with."""
    return f"{target.name}.{environment.name}."


def part_names(file_name: str, parts: int) -> list[str]:
    """Names of the files that a fetched file is split into. How many there are stands in each, so that a load never
    takes some for all.
    """
    return [file_name] if parts == 1 else [f"{file_name}.{number}of{parts}" for number in range(1, parts + 1)]


def working_table_pattern(target: Target) -> str:
    """POSIX regular expression of the working tables of one target, of any run."""
    return rf"^{target.name}_(raw|tmp)_[0-9a-f]{{{DIGEST_LENGTH}}}$"


def advisory_key(target: Target) -> int:
    """Key of the advisory lock that admits one writer per target (a signed 64-bit integer)."""
    return int.from_bytes(hashlib.sha256(f"{OWNER}:{target.name}".encode()).digest()[:8], "big", signed=True)
