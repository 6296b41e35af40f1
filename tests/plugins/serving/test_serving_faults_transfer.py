"""Faults of the transfer to the database host: cases 30 to 32.

A process reads the live table all the while (`live`).
"""

from __future__ import annotations

import hashlib
import subprocess
import time
from contextlib import suppress

import psutil
import pytest
from stir.serving import fetch

from devstack.ssh_keys import ssh_folder

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda body: body[:-3], "bytes, manifest says"),
        (lambda body: body[:100] + bytes([body[100] ^ 1]) + body[101:], "checksum"),
    ],
    ids=["truncated", "one bit altered"],
)
def test_object_changed_after_the_manifest_is_not_loaded(live, change, complaint, caplog, capfd):
    live.fill(200)
    ti = live.run(until="manifest")
    key = ti.results["manifest"]["key"]
    live.replace_object(key, change(live.object_body(key)))
    with pytest.raises(Exception, match="exit status = 65"):
        live.step("fetch", ti)
    assert complaint in caplog.text + "".join(capfd.readouterr())
    assert not list(live.folder.glob(f"*{live.names(ti).digest}*")), "neither the file nor a part of it stays"
    assert live.rows() == 100


@pytest.mark.parametrize("sessions", [1, 2], ids=["in one piece", "in two parts"])
def test_object_that_zstd_cannot_unpack_leaves_no_part(live, split_small, monkeypatch, sessions, caplog, capfd):
    """The pipe that splits the lines ends well all the same."""
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_LOAD_SESSIONS", str(sessions))
    live.fill(200)
    ti = live.run(until="manifest")
    taken = ti.results["manifest"]
    body = live.object_body(taken["key"])[:-3]
    live.replace_object(taken["key"], body)
    taken |= {"bytes": len(body), "checksum": hashlib.sha256(body).hexdigest()}
    with pytest.raises(Exception, match="exit status = 1"):
        live.step("fetch", ti)
    assert "zstd" in caplog.text + "".join(capfd.readouterr())
    assert not list(live.folder.glob(f"*{live.names(ti).digest}*"))


def test_full_disk_on_the_database_host_is_noticed_before_the_transfer(live):
    ti = live.run(until="manifest")
    ti.results["manifest"]["bytes"] = 10**16
    with pytest.raises(Exception, match="exit status = 28"):
        live.step("fetch", ti)


def test_missing_folder_on_the_database_host_is_named(live, monkeypatch, caplog, capfd):
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_FETCH_DIRECTORY", "/nowhere/at all")
    ti = live.run(until="manifest")
    with pytest.raises(Exception, match="exit status = 66"):
        live.step("fetch", ti)
    assert "/nowhere/at all does not exist" in caplog.text + "".join(capfd.readouterr())


@pytest.fixture
def small_disk(live, tmp_path, monkeypatch):
    """The folder for fetched files on a real file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "stir-test", str(folder)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a tmpfs is not permitted here: {mounted.stderr.strip()}")
    try:
        monkeypatch.setenv("AIRFLOW_VAR_SERVING_FETCH_DIRECTORY", str(folder))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_small_disk_is_noticed_before_the_transfer(live, small_disk, caplog, capfd):
    """Case 32: what is free does not leave the spare room."""
    live.fill(200)
    ti = live.run(until="manifest")
    with pytest.raises(Exception, match="exit status = 28"):
        live.step("fetch", ti)
    assert "make room" in caplog.text + "".join(capfd.readouterr())
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize(
    ("rows", "sessions"),
    [(20_000, 1), (1500, 1), (1500, 2)],
    ids=["object too large", "unpacked file too large", "unpacked parts too large"],
)
def test_disk_that_fills_up_during_the_transfer_leaves_nothing(
    live, small_disk, split_small, monkeypatch, rows, sessions
):
    """Case 32: others took the room after it was looked at, here by looking away."""
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_LOAD_SESSIONS", str(sessions))
    live.fill(rows, profile="hex(SHA256(toString(number)))")
    ti = live.run(until="manifest")
    assert (ti.results["manifest"]["bytes"] > 256 * 1024) == (rows == 20_000)
    assert ti.results["manifest"]["text_bytes"] > 256 * 1024
    with monkeypatch.context() as looking_away:
        looking_away.setattr(fetch, "SPARE_BYTES", -(10**12))
        with pytest.raises(Exception, match=r"exit status = [1-9]"):
            live.step("fetch", ti)
    assert list(small_disk.iterdir()) == []
    assert live.rows() == 100
    monkeypatch.delenv("AIRFLOW_VAR_SERVING_FETCH_DIRECTORY")
    monkeypatch.setenv("AIRFLOW_VAR_SERVING_FETCH_DIRECTORY", str(live.folder))
    live.run(ti, after="manifest")
    assert live.rows() == rows


def test_ssh_connection_lost_in_mid_copy_then_retry(live):
    """Case 30: the sshd processes of the session are killed while the AWS CLI copies at a limited rate."""
    live.fill(20_000, profile="hex(SHA256(toString(number)))")
    ti = live.run(until="manifest")
    configuration = ssh_folder(live.sshd.settings) / "aws_config"
    unlimited = configuration.read_text()
    configuration.write_text(unlimited.replace("[default]\n", "[default]\ns3 =\n  max_bandwidth = 100KB/s\n"))
    part = f"*{live.names(ti).digest}*"
    server = psutil.Process(live.sshd.main.process().pid)
    remote = []
    try:
        fetching, failures = live.attempt("fetch", ti)
        until = time.monotonic() + 60
        while not list(live.folder.glob(part)) and time.monotonic() < until:
            time.sleep(0.02)
        assert list(live.folder.glob(part)), "the copy has begun"
        session = server.children(recursive=True)
        remote = [process for process in session if not process.name().startswith("sshd")]
        for process in session:
            if process not in remote:
                process.kill()
        fetching.join(60)
        assert failures
        assert not live.fetched(ti).exists()
    finally:
        configuration.write_text(unlimited)
        for process in remote:
            with suppress(psutil.NoSuchProcess):
                process.kill()
    assert live.rows() == 100
    ti.try_number = 2
    live.run(ti, after="manifest")
    assert live.rows() == 20_000
    live.step("clean_host", ti)
    assert not list(live.folder.glob(part)), "what the first try left is gone"
