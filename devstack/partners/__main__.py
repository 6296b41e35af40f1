"""`python -m devstack.partners --port N --events FILE`: the search index under /search, the CRM's gateway under /crm.

ClickHouse, which says whose world is loaded, is found by the platform's variables (`python -m devstack env`).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from devstack.partners import crm
from devstack.partners.directory import INDEX, Directory
from devstack.search.application import create_application as create_search
from devstack.search.index import Engine
from devstack.settings import HOST
from schema.connections import clickhouse_address, connect_clickhouse
from schema.statements import SchemaError


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m devstack.partners", description=__doc__)
    options.add_argument(
        "--host", default=HOST, help="address to listen on; another than %(default)s only in a container"
    )
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--events", type=Path, required=True, help="JSON lines file that keeps the CRM's events")
    return options


def create_application(engine: Engine, events: Path) -> FastAPI:
    """Both servers behind one address."""
    application = FastAPI(title="Local partners", docs_url=None, redoc_url=None, openapi_url=None)
    application.mount("/search", create_search(engine))
    application.mount("/crm", crm.create_application(events))

    @application.get("/")
    def about() -> dict[str, str]:
        return {"search": f"/search/{INDEX}/_count", "crm": "/crm/events"}

    return application


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        address = clickhouse_address()
    except SchemaError as error:
        print(f"partners: {error}", file=sys.stderr)
        return 1
    engine = Engine()
    engine.refresh = Directory(engine, lambda: connect_clickhouse(address)).refresh
    application = create_application(engine, options.events)
    uvicorn.run(application, host=options.host, port=options.port, log_level="warning", access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
