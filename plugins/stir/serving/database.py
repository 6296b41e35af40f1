"""Connections to a serving database for the steps that need more than one statement string."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stir.serving.naming import Environment

if TYPE_CHECKING:
    import psycopg2.extensions

LIBPQ_EXTRAS = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "target_session_attrs",
    "connect_timeout",
    "keepalives_idle",
)


def session_options(extra: dict[str, Any], statement_seconds: int = 0) -> str:
    """libpq's `options` of every session: those of the connection's extra, then the platform's, which prevail.

    `statement_seconds` limits each statement, 0 leaves the server's limit.
    """
    limit = f"-c statement_timeout={statement_seconds * 1000}" if statement_seconds else ""
    return " ".join(filter(None, (extra.get("options"), "-c timezone=UTC -c datestyle=ISO", limit)))


def connect(environment: Environment, purpose: str, *, statement_seconds: int = 0) -> psycopg2.extensions.connection:
    """psycopg2 connection by the environment's Airflow connection, time zone UTC.

    PostgresHook would give psycopg 2 or 3, whichever is installed; the swap relies on one driver's errors and
    transactions. `purpose` shows in pg_stat_activity, `statement_seconds` is that of `session_options`.
    """
    import psycopg2
    from airflow.sdk import BaseHook

    known = BaseHook.get_connection(environment.postgres)
    extras = {name: value for name, value in known.extra_dejson.items() if name in LIBPQ_EXTRAS}
    return psycopg2.connect(
        host=known.host,
        port=known.port or 5432,
        user=known.login,
        password=known.password,
        dbname=known.schema,
        **{
            "options": session_options(known.extra_dejson, statement_seconds),
            "application_name": f"stir:{purpose}",
            "connect_timeout": 10,
            **extras,
        },
    )
