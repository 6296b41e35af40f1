"""Settings of the simulator: one class, variables with the prefix BEAT_, some of them also start-up flags."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from devstack.settings import StackSettings


class Faults(BaseModel):
    """Misbehaviour on demand. It applies to the scraper's own endpoints, not to /requests, /stats, /admin, /healthz."""

    model_config = {"extra": "forbid"}

    too_many_requests: float = Field(0.0, ge=0, le=1, description="share of calls answered with 429 and Retry-After")
    retry_after_seconds: int = Field(1, ge=0, description="value of that header")
    server_errors: float = Field(0.0, ge=0, le=1, description="share of calls answered with 500")
    error_envelopes: float = Field(
        0.0, ge=0, le=1, description="share of calls answered with 200 and an ERROR envelope"
    )
    delay_seconds: float = Field(0.0, ge=0, description="pause before each answer")
    stuck: float = Field(0.0, ge=0, le=1, description="share of requests that stay PROCESSING for ever")
    remaining: int | None = Field(None, ge=0, description="calls until all of this ends; none = until it is changed")


class BeatSettings(BaseSettings):
    """Settings of one simulator process."""

    model_config = SettingsConfigDict(env_prefix="BEAT_", extra="ignore")

    data_dir: Path = Field(
        default_factory=lambda: StackSettings().data("beat"), description="folder of the request database"
    )
    seed: int = Field(1, description="decides which requests fail and how")
    time_scale: float = Field(0.1, gt=0, description="1 = scrapes take as long as Beat's, 0.1 = a tenth of it")
    failures: bool = Field(True, description="fail the believable share of requests; without, only wrong ones fail")
    clickhouse: bool = Field(True, description="know the accounts of ClickHouse's replica and keep it up to date")
    faults: Faults = Field(default_factory=Faults, description="initial faults, as JSON")
