"""`python -m devstack.search --port N [--documents FILE --index NAME]`: serve until a signal.

The file holds one JSON document per line; a document's `id` is its id in the index. The login is `stir`, its password
comes from STIR_SEARCH_PASSWORD; without the variable no login is needed.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import orjson
import uvicorn

from devstack.search.application import create_application
from devstack.search.index import Engine
from devstack.settings import HOST

LOGIN = "stir"


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m devstack.search", description=__doc__)
    options.add_argument(
        "--host", default=HOST, help="address to listen on; another than %(default)s only in a container"
    )
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--documents", type=Path, help="JSON lines to fill the index with")
    options.add_argument("--index", default="youtube_channels_api", help="name of the index (%(default)s)")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    engine = Engine()
    if options.documents:
        try:
            fill(engine, options.index, options.documents)
        except (OSError, ValueError) as error:
            print(f"search: {error}", file=sys.stderr)
            return 1
    password = os.environ.pop("STIR_SEARCH_PASSWORD", "")
    application = create_application(engine, login=LOGIN if password else "", password=password)
    uvicorn.run(application, host=options.host, port=options.port, log_level="warning", access_log=False)
    return 0


def fill(engine: Engine, index: str, documents: Path) -> None:
    """Put the documents of a file into an index. Raises OSError, or ValueError that names the line."""
    with documents.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                document = orjson.loads(line)
                identity = str(document["id"])
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{documents}, line {number}: a JSON object with an id is expected: {error}") from None
            engine.put(index, identity, document)


if __name__ == "__main__":
    sys.exit(main())
