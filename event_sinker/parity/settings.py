"""Where the scraper's PostgreSQL is: variables with the prefix SINKER_PARITY_POSTGRES_, needed by `parity` alone."""

from __future__ import annotations

import os
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from event_sinker.errors import SinkerError

_PREFIX = "SINKER_PARITY_POSTGRES_"


class PostgresSettings(BaseSettings):
    """How to reach the database whose log tables are compared. The login needs SELECT and nothing else."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="ignore")

    host: Annotated[str, Field(min_length=1, description="PostgreSQL server")]
    port: int = Field(5432, description="its port")
    database: Annotated[str, Field(min_length=1, description="database that holds the log tables")]
    user: Annotated[str, Field(min_length=1, description="login")]
    password: SecretStr = Field(SecretStr(""), description="its password; empty = ~/.pgpass, or a login without one")
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", description="TLS, as libpq names it"
    )
    statement_timeout_seconds: Annotated[int, Field(gt=0)] = Field(900, description="longest time of one query")

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}/{self.database}"

    @classmethod
    def load(cls) -> Self:
        """Settings from the environment and, when SINKER_SECRETS_DIR names a folder, from files in it.

        Raises:
            SinkerError: a setting is missing or has a wrong value; it is named, its value is not.
        """
        try:
            return cls(_secrets_dir=os.environ.get("SINKER_SECRETS_DIR"))
        except ValidationError as error:
            problems = "; ".join(
                f"{_PREFIX}{'_'.join(map(str, problem['loc'])).upper()}: {problem['msg']}"
                for problem in error.errors(include_input=False)
            )
            raise SinkerError(f"parity reads the scraper's PostgreSQL, set where it is: {problems}") from None
