"""Where the local stack lives, which ports it uses and which credentials it generated.

One place for all of it: `StackSettings` reads `STIR_STACK_*` variables, `Secrets` reads the file that the first start
writes, and `devstack.environment` turns both into the variables that every program of the platform reads.
"""

from __future__ import annotations

import json
import os
import secrets as random
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.parse import quote

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
HOST = "127.0.0.1"

CLICKHOUSE_USER = "stir"
POSTGRES_USER = "stir"
RABBITMQ_USER = "stir"
RABBITMQ_VHOST = "/"
AIRFLOW_USER = "admin"
EXPORT_BUCKET = "stir-exports"
NAMED_COLLECTION = "stir_exports"
SERVING_DATABASE = "serving"
SERVING_STAGING_DATABASE = "serving_staging"
AIRFLOW_DATABASE = "airflow"

PORT_OFFSETS = {
    "ssh": 22,
    "airflow": 80,
    "sinker": 90,
    "clickhouse_http": 123,
    "postgres": 432,
    "s3": 500,
    "slack": 600,
    "rabbitmq": 672,
    "rabbitmq_management": 673,
    "rabbitmq_distribution": 674,
    "rabbitmq_epmd": 675,
    "partners": 700,
    "beat": 800,
    "clickhouse_native": 900,
}


class StackSettings(BaseSettings):
    """Settings of the local stack, each overridable by an environment variable with the prefix STIR_STACK_."""

    model_config = SettingsConfigDict(env_prefix="STIR_STACK_", extra="ignore")

    home: Path = Field(
        REPOSITORY / ".stack", description="folder of all data, logs, pid files and generated credentials"
    )
    port_base: int = Field(28000, description="each service listens on this number plus its own offset")
    ports: dict[str, int] = Field(
        default_factory=dict, description='single ports by service, as JSON: {"airflow": 8080}'
    )
    clickhouse_memory_bytes: int = Field(3_000_000_000, description="server-wide memory limit of the local ClickHouse")
    clickhouse_url: str = Field(
        "", description="http(s)://user:password@host:port of a real ClickHouse server to use instead of the local one"
    )
    clickhouse_url_native_port: int = Field(9000, description="native protocol port of that server")
    airflow_parallelism: int = Field(4, description="tasks that the local Airflow runs at once")
    airflow_triggerer: bool = Field(False, description="also start a triggerer, which only deferrable tasks need")
    world_size: str = Field("medium", description="size of the synthetic world: small, medium or large")
    world_seed: int = Field(20_260_101, description="seed of the synthetic world")

    def port(self, service: str) -> int:
        """Port of one service of `PORT_OFFSETS`."""
        return self.ports.get(service, self.port_base + PORT_OFFSETS[service])

    def variables(self) -> dict[str, str]:
        """These settings as the variables that make another process of the stack read the same ones."""
        values = self.model_dump(mode="json")
        values["home"] = str(self.home.absolute())
        values["ports"] = json.dumps(self.ports)
        return {f"STIR_STACK_{name.upper()}": str(value) for name, value in values.items()}

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        return self.home / "run"

    def data(self, service: str) -> Path:
        return self.home / "data" / service


class Secrets(BaseModel):
    """Credentials generated for one local stack. They exist only in `<home>/secrets.json`, readable by its owner."""

    clickhouse_password: str
    postgres_password: str
    rabbitmq_password: str
    rabbitmq_cookie: str
    airflow_password: str
    airflow_fernet_key: str
    airflow_jwt_secret: str
    airflow_api_secret: str
    s3_access_key: str
    s3_secret_key: str
    slack_token: str

    @staticmethod
    def path(settings: StackSettings) -> Path:
        """The file of this stack's credentials."""
        return settings.home / "secrets.json"

    @classmethod
    def load_or_create(cls, settings: StackSettings) -> Secrets:
        """Read the credentials of this stack, or generate and store them on first use."""
        path = cls.path(settings)
        if path.exists():
            return cls(**json.loads(path.read_text()))
        created = cls(
            clickhouse_password=random.token_hex(16),
            postgres_password=random.token_hex(16),
            rabbitmq_password=random.token_hex(16),
            rabbitmq_cookie=random.token_hex(20),
            airflow_password=random.token_urlsafe(12),
            airflow_fernet_key=urlsafe_b64encode(random.token_bytes(32)).decode(),
            airflow_jwt_secret=random.token_hex(32),
            airflow_api_secret=random.token_hex(32),
            s3_access_key="STIR" + random.token_hex(8).upper(),
            s3_secret_key=random.token_hex(20),
            slack_token="/".join(("T" + random.token_hex(4), "B" + random.token_hex(4), random.token_hex(12))),
        )
        settings.home.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"secrets.json.{os.getpid()}-{random.token_hex(4)}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(created.model_dump_json(indent=2))
        try:
            os.link(partial, path)  # appears whole, and only if nobody was faster
        except FileExistsError:
            return cls(**json.loads(path.read_text()))
        finally:
            partial.unlink()
        return created


def postgres_dsn(settings: StackSettings, secrets: Secrets, database: str) -> str:
    """libpq URL of one database of the local PostgreSQL."""
    return (
        f"postgresql://{POSTGRES_USER}:{quote(secrets.postgres_password)}@{HOST}:{settings.port('postgres')}/{database}"
    )
