"""`python -m devstack.beat serve`: the scraper's API on 127.0.0.1, with requests that run, fail and publish events.

RabbitMQ and ClickHouse are found by the platform's variables (`python -m devstack env`); every setting below is also a
variable BEAT_<NAME>. Exit codes: 0 ended by a signal, 1 it could not start, 2 wrong usage.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from devstack.beat import broker
from devstack.beat.api import create_app
from devstack.beat.settings import BeatSettings, Faults
from devstack.beat.simulator import Simulator
from devstack.settings import HOST, StackSettings
from schema.connections import clickhouse_address, connect_clickhouse
from schema.statements import SchemaError


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("pika").setLevel(logging.ERROR)
    chosen = {name: value for name, value in vars(options).items() if name in BeatSettings.model_fields}
    try:
        if options.faults is not None:
            chosen["faults"] = Faults.model_validate_json(options.faults)
        settings = BeatSettings(**{name: value for name, value in chosen.items() if value is not None})
        parameters = broker.parameters()
        address = clickhouse_address() if settings.clickhouse else None
    except (ValidationError, SchemaError, broker.PublishError) as error:
        print(f"beat: {error}", file=sys.stderr)
        return 1
    connect = (lambda: connect_clickhouse(address)) if address else None
    app = create_app(Simulator(settings, parameters, connect))
    uvicorn.run(app, host=options.host, port=options.port, log_level="warning", access_log=False)
    return 0


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m devstack.beat", description=__doc__)
    serve = top.add_subparsers(dest="command", required=True).add_parser("serve", help="answer until a signal")
    serve.add_argument(
        "--host", default=HOST, help="address to listen on; another than %(default)s only in a container"
    )
    serve.add_argument("--port", type=int, default=StackSettings().port("beat"), help="default: %(default)s")
    fields = BeatSettings.model_fields
    serve.add_argument("--data-dir", type=Path, help=fields["data_dir"].description)
    serve.add_argument("--seed", type=int, help=f"{fields['seed'].description} ({fields['seed'].default})")
    serve.add_argument(
        "--time-scale", type=float, help=f"{fields['time_scale'].description} ({fields['time_scale'].default})"
    )
    serve.add_argument(
        "--no-failures", dest="failures", action="store_const", const=False, help="only wrong requests fail"
    )
    serve.add_argument("--no-clickhouse", dest="clickhouse", action="store_const", const=False, help="make accounts up")
    serve.add_argument("--faults", type=str, help='initial faults as JSON, e.g. {"server_errors": 0.1}')
    return top


if __name__ == "__main__":
    sys.exit(main())
