"""The program: start, refusals in one sentence, clean end, what it leaves readable."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from devstack.clickhouse import process
from devstack.clickhouse.login import PASSWORD_FILE_VARIABLE, PASSWORD_VARIABLE
from devstack.settings import REPOSITORY

pytestmark = pytest.mark.integration


def run_serve(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Run `serve` where it is expected to refuse."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STIR_")}
    return subprocess.run(
        [sys.executable, "-m", "devstack.clickhouse", "serve", *arguments],
        cwd=REPOSITORY,
        env={**kept, "STIR_STACK_HOME": str(tmp_path / "home"), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_names_everything() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "devstack.clickhouse", "serve", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for word in (
        "--data-dir",
        "--config",
        "--http-port",
        "--native-port",
        "--pid-file",
        PASSWORD_VARIABLE,
        "exit codes",
    ):
        assert word in result.stdout


def test_second_server_on_the_same_folder_is_refused_in_one_sentence(clickhouse_server, tmp_path) -> None:
    data = clickhouse_server.directory / "data"
    ports = ("--http-port", str(process.free_port()), "--native-port", str(process.free_port()))
    result = run_serve(tmp_path, "--data-dir", str(data), *ports, **{PASSWORD_VARIABLE: "x"})
    assert result.returncode == 4
    [line] = result.stderr.strip().splitlines()
    assert f"Another server has the data folder {data} open" in line


@pytest.mark.parametrize("which", ["http", "native"])
def test_busy_port_is_refused_in_one_sentence(tmp_path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"http": process.free_port(), "native": process.free_port()}
        ports[which] = taken.getsockname()[1]
        result = run_serve(
            tmp_path,
            *("--data-dir", str(tmp_path / "data"), "--http-port", str(ports["http"])),
            *("--native-port", str(ports["native"])),
            **{PASSWORD_VARIABLE: "x"},
        )
    assert result.returncode == 3
    [line] = result.stderr.strip().splitlines()
    assert f"Port {ports[which]} on 127.0.0.1 is in use by another program" in line


@pytest.mark.parametrize("environment", [{}, {PASSWORD_FILE_VARIABLE: "/nowhere/password"}])
def test_missing_password_is_refused_in_one_sentence(tmp_path, environment: dict) -> None:
    result = run_serve(tmp_path, "--data-dir", str(tmp_path / "data"), **environment)
    assert result.returncode == 2
    [line] = result.stderr.strip().splitlines()
    assert PASSWORD_FILE_VARIABLE in line


def test_broken_configuration_is_refused(tmp_path) -> None:
    configuration = tmp_path / "broken.xml"
    configuration.write_text("<clickhouse><unclosed>")
    ports = ("--http-port", str(process.free_port()), "--native-port", str(process.free_port()))
    result = run_serve(
        tmp_path,
        "--data-dir",
        str(tmp_path / "data"),
        "--config",
        str(configuration),
        *ports,
        **{PASSWORD_VARIABLE: "x"},
    )
    assert result.returncode == 5
    assert "The engine did not start" in result.stderr


def test_listens_on_loopback_only_and_hides_the_password(clickhouse_server) -> None:
    server = psutil.Process(clickhouse_server.process.pid)
    listening = {(c.laddr.ip, c.laddr.port) for c in server.net_connections("tcp") if c.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", clickhouse_server.http_port), ("127.0.0.1", clickhouse_server.native_port)}
    assert clickhouse_server.password not in " ".join(server.cmdline())
    assert clickhouse_server.password not in clickhouse_server.log_file.read_text()


def test_configuration_file_is_readable_by_its_owner_only(clickhouse_server) -> None:
    configuration = clickhouse_server.directory / "server.xml"
    assert stat.S_IMODE(configuration.stat().st_mode) == 0o600
    assert "export-secret-value" in configuration.read_text()


def test_sigterm_ends_it_cleanly_and_the_data_is_there_again(tmp_path, open_http, open_native, monkeypatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")  # a developer's own zone is none of the server's business
    with process.start(tmp_path) as server:
        client, idle = open_http(server), open_native(server)
        idle.execute("SELECT 1")
        client.command("CREATE DATABASE d")
        client.command("CREATE TABLE d.t (a UInt64) ENGINE = MergeTree ORDER BY a")
        client.insert("d.t", [[1], [2]], column_names=["a"])
        assert (tmp_path / "server.pid").read_text().strip() == str(server.process.pid)
        assert client.command("SELECT timezone(), toString(toDateTime(0))") == ["UTC", "1970-01-01 00:00:00"]
        assert server.stop() == 0
        assert not (tmp_path / "server.pid").exists()
        assert re.search(r"stopped$", server.log())
    with process.start(tmp_path, password="another") as server:
        assert open_native(server).execute("SELECT sum(a) FROM d.t") == [(3,)]
        # Observed: the engine starts system.query_log anew with each process.
        log = "SELECT count() FROM system.query_log WHERE query LIKE 'CREATE TABLE d.t%'"
        assert open_http(server).query(log).result_rows == [(0,)]


def test_sigterm_cancels_a_running_statement(tmp_path, open_native) -> None:
    errors: list[str] = []
    with process.start(tmp_path) as server:
        client = open_native(server)

        def run() -> None:
            try:
                client.execute("SELECT count() FROM numbers(1000000000000) WHERE NOT ignore(sleepEachRow(0))")
            except Exception as error:
                errors.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        time.sleep(1)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(20) == 0
        assert time.monotonic() - started < 15
        thread.join(10)
    assert len(errors) == 1
