"""`python -m devstack.clickhouse serve`: run the local ClickHouse server in the foreground."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from devstack.clickhouse.login import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE, Login, NoPasswordError
from devstack.clickhouse.occupancy import DirectoryInUseError, PortInUseError, listen, lock_directory
from devstack.settings import CLICKHOUSE_USER, HOST, Secrets, StackSettings

EXIT_USAGE = 2
EXIT_PORT_IN_USE = 3
EXIT_DIRECTORY_IN_USE = 4
EXIT_ENGINE = 5

_EPILOG = f"""\
The password comes from the variable {PASSWORD_VARIABLE}, else from the file that {PASSWORD_FILE_VARIABLE} names,
else from the credentials of the local stack; never from the command line. The server listens on {HOST} only.
SIGTERM ends it cleanly. Everything left out is as the settings of the local stack (STIR_STACK_*) say.

exit codes: 0 stopped by SIGTERM or SIGINT, 2 wrong usage or no password, 3 a port is in use,
4 another server has the data folder, 5 the engine cannot open the data folder or the configuration
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m devstack.clickhouse", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve",
        help="run the server in the foreground",
        description="Run the server in the foreground.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    serve.add_argument("--data-dir", type=Path, help="folder of all databases; made if missing")
    serve.add_argument(
        "--config",
        type=Path,
        help="server configuration in ClickHouse's XML format (memory limit, query log, named collections); "
        "without it one for the local stack is written into the data folder",
    )
    serve.add_argument("--http-port", type=int, help="port of the HTTP interface")
    serve.add_argument("--native-port", type=int, help="port of the native TCP protocol")
    serve.add_argument("--user", default=CLICKHOUSE_USER, help="the one user (default: %(default)s)")
    serve.add_argument("--pid-file", type=Path, help="written when both ports answer, removed at the end")
    serve.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=options.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    os.environ["TZ"] = "UTC"  # observed: the engine takes its time zone from here, not from its configuration
    stack = StackSettings()
    try:
        login = Login.from_environment(options.user) or _stack_login(stack, options.user)
        http = listen(options.http_port or stack.port("clickhouse_http"))
        native = listen(options.native_port or stack.port("clickhouse_native"))
        data_directory = options.data_dir or stack.data("clickhouse")
        lock = lock_directory(data_directory)
    except NoPasswordError as error:
        return _fail(EXIT_USAGE, error)
    except PortInUseError as error:
        return _fail(EXIT_PORT_IN_USE, error)
    except DirectoryInUseError as error:
        return _fail(EXIT_DIRECTORY_IN_USE, error)

    # The engine's library takes a second to load: only now, when nothing can be refused any more.
    from devstack.clickhouse.config import ServerConfiguration
    from devstack.clickhouse.engine import EngineStartError
    from devstack.clickhouse.server import serve

    configuration = options.config
    if configuration is None:
        configuration = ServerConfiguration.of_stack(stack).write(data_directory / "server.xml")
    try:
        serve(data_directory, configuration, login, http, native, options.pid_file)
    except EngineStartError as error:
        return _fail(EXIT_ENGINE, f"The engine did not start: {error}")
    finally:
        lock.close()
    return 0


def _fail(code: int, sentence: object) -> int:
    print(f"devstack.clickhouse: {sentence}", file=sys.stderr)
    return code


def _stack_login(stack: StackSettings, user: str) -> Login:
    """The login of the local stack. Raises NoPasswordError if the stack has no credentials yet."""
    if not (stack.home / "secrets.json").exists():
        raise NoPasswordError(
            f"No password: set {PASSWORD_VARIABLE}, or {PASSWORD_FILE_VARIABLE} to a file that holds it, "
            f"or start the local stack once so that {stack.home}/secrets.json exists."
        )
    return Login(user, Secrets.load_or_create(stack).clickhouse_password)


if __name__ == "__main__":
    sys.exit(main())
