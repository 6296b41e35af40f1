"""`python -m devstack.clickhouse serve`: run the local ClickHouse server in the foreground."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from pydantic import SecretStr

from devstack.clickhouse.config import NamedCollection, ServerConfiguration
from devstack.clickhouse.engine import DirectoryInUseError, Engine, EngineStartError
from devstack.clickhouse.http import HttpInterface
from devstack.clickhouse.http_server import HttpServer
from devstack.clickhouse.login import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE, Login, NoPasswordError
from devstack.clickhouse.native_server import NativeServer
from devstack.settings import CLICKHOUSE_USER, EXPORT_BUCKET, HOST, NAMED_COLLECTION, Secrets, StackSettings

log = logging.getLogger("devstack.clickhouse")

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
    try:
        return serve(options)
    except NoPasswordError as error:
        return _fail(EXIT_USAGE, str(error))
    except PortInUseError as error:
        return _fail(
            EXIT_PORT_IN_USE,
            f"Port {error.port} on {HOST} is in use by another program. Stop that program or choose another port.",
        )
    except EngineStartError as error:
        return _fail(EXIT_ENGINE, f"The engine did not start: {error}")
    except DirectoryInUseError as error:
        return _fail(
            EXIT_DIRECTORY_IN_USE,
            f"Another server has the data folder {error} open. Stop it, or give this one a folder of its own.",
        )


def _fail(code: int, sentence: str) -> int:
    print(f"devstack.clickhouse: {sentence}", file=sys.stderr)
    return code


class PortInUseError(Exception):
    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.port = port


def _listen(port: int) -> socket.socket:
    """A listening socket. Raises PortInUseError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(port) from None
        raise
    return listener


def serve(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT, then end connections, flush the logs and unload the engine."""
    stack = StackSettings()
    login = Login.from_environment(options.user) or stack_login(stack, options.user)
    http_port = options.http_port or stack.port("clickhouse_http")
    native_port = options.native_port or stack.port("clickhouse_native")
    http_listener, native_listener = _listen(http_port), _listen(native_port)
    data_directory: Path = options.data_dir or stack.data("clickhouse")
    configuration = options.config or stack_configuration(stack).write(data_directory / "server.xml")
    engine = Engine(data_directory, configuration)
    http_interface = HttpInterface(engine, login)
    http_server = HttpServer(http_interface)
    native_server = NativeServer(engine, login, native_listener)

    def stop(number: int, _frame: object) -> None:
        log.info("stopping on %s", signal.Signals(number).name)
        http_server.should_exit = True
        # A statement that still runs after the grace period is cancelled; the client gets error 394.

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    native_server.start()
    log.info(
        "ClickHouse %s serves %s: HTTP on %s:%d, native on %s:%d",
        engine.version,
        data_directory,
        HOST,
        http_port,
        HOST,
        native_port,
    )
    if options.pid_file:
        options.pid_file.parent.mkdir(parents=True, exist_ok=True)
        options.pid_file.write_text(f"{os.getpid()}\n")
    try:
        http_server.run(sockets=[http_listener])
    finally:
        native_server.stop_accepting()
        engine.kill_statements()
        native_server.close()
        http_server.wait_for_statements()
        http_interface.sessions.close()
        engine.close()
        if options.pid_file:
            options.pid_file.unlink(missing_ok=True)
    log.info("stopped")
    return 0


def stack_login(stack: StackSettings, user: str) -> Login:
    """The login of the local stack. Raises NoPasswordError if the stack has no credentials yet."""
    if not (stack.home / "secrets.json").exists():
        raise NoPasswordError(
            f"No password: set {PASSWORD_VARIABLE}, or {PASSWORD_FILE_VARIABLE} to a file that holds it, "
            f"or start the local stack once so that {stack.home}/secrets.json exists."
        )
    return Login(user, Secrets.load_or_create(stack).clickhouse_password)


def stack_configuration(stack: StackSettings) -> ServerConfiguration:
    """The configuration of the local stack: its memory limit, and its S3 bucket as a named collection."""
    collections = []
    if (stack.home / "secrets.json").exists():
        secrets = Secrets.load_or_create(stack)
        collections.append(
            NamedCollection(
                name=NAMED_COLLECTION,
                url=f"http://{HOST}:{stack.port('s3')}/{EXPORT_BUCKET}/",
                access_key_id=secrets.s3_access_key,
                secret_access_key=SecretStr(secrets.s3_secret_key),
            )
        )
    return ServerConfiguration(max_server_memory_bytes=stack.clickhouse_memory_bytes, named_collections=collections)


if __name__ == "__main__":
    sys.exit(main())
