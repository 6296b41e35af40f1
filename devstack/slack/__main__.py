"""`python -m devstack.slack --port N --messages FILE`: serve the webhook; the token comes from STIR_SLACK_TOKEN."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from devstack.settings import HOST
from devstack.slack.application import create_application


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m devstack.slack",
        description="Local stand-in for Slack's incoming webhooks; token: STIR_SLACK_TOKEN.",
    )
    options.add_argument(
        "--host", default=HOST, help="address to listen on; another than %(default)s only in a container"
    )
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--messages", type=Path, required=True, help="JSON lines file that keeps what is received")
    return options


def main() -> int:
    arguments = parser().parse_args()
    token = os.environ.pop("STIR_SLACK_TOKEN", "")
    if not token:
        print("STIR_SLACK_TOKEN is not set: give the token that senders must present.", file=sys.stderr)
        return 2
    # Without the access log: request paths hold the token.
    uvicorn.run(
        create_application(token, arguments.messages), host=arguments.host, port=arguments.port, access_log=False
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
