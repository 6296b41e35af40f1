"""What an operator sees: status, health, logs."""

from __future__ import annotations

import socket
import struct
import time

import pytest

from tests.event_sinker.sinker_command import run_command
from tests.fault.sinker_process import SinkerWorld, profile_event, wait_until

pytestmark = pytest.mark.integration


def test_status_and_dead_letter_list(world: SinkerWorld) -> None:
    world.start()
    world.publish([profile_event(), b"{"])
    wait_until(lambda: world.rows() == 1 and world.depth("profile_log_events_q.dead") == 1)
    status = run_command(world, "status", "--json")
    assert status.returncode == 0, status.stderr
    assert '"event_type":"profile_log","waiting":0,"consumers":1,"dead":1,"rows":1' in status.stdout
    for _ in range(2):  # listing takes nothing away
        listing = run_command(world, "dlq", "list", "profile_log")
        assert listing.returncode == 0, listing.stderr
        assert "broken_json" in listing.stdout
    assert world.depth("profile_log_events_q.dead") == 1


def test_health_endpoints(world: SinkerWorld, clickhouse_proxy) -> None:
    sinker = world.start(clickhouse_http_port=clickhouse_proxy.port)
    assert sinker.get("/livez").json()["ok"] is True
    assert sinker.get("/readyz").json() == {
        "ok": True,
        "subscribed": {"profile_log_events_q": True},
        "stores": {"profile_log_events_q": True},
        "clickhouse": True,
        "reasons": {},
        "stopped": {},
    }
    assert "sinker_rows_inserted_total" in sinker.get("/metrics").text
    clickhouse_proxy.refuse(True)
    wait_until(lambda: sinker.get("/readyz").status_code == 503)
    assert sinker.get("/livez").status_code == 200
    assert sinker.get("/nothing").status_code == 404


def test_a_server_that_answers_but_refuses_inserts_is_not_ready(world: SinkerWorld) -> None:
    """Too many parts: a ping succeeds, an insert does not."""
    sinker = world.start_and_store_one()
    table = f"{world.settings.clickhouse_database}.profile_log_events"
    world.client.command(f"ALTER TABLE {table} MODIFY SETTING parts_to_throw_insert = 1, parts_to_delay_insert = 1")
    world.send(5)
    wait_until(lambda: sinker.get("/readyz").status_code == 503, what="not ready")
    assert sinker.get("/readyz").json()["clickhouse"] is True
    assert sinker.get("/readyz").json()["stores"] == {"profile_log_events_q": False}
    assert "Too many parts" in sinker.get("/readyz").json()["reasons"]["profile_log_events_q"]
    world.client.command(f"ALTER TABLE {table} RESET SETTING parts_to_throw_insert, parts_to_delay_insert")
    world.assert_each_stored_once()
    assert sinker.ready()


def test_logs_are_json_and_hold_no_event(world: SinkerWorld) -> None:
    sinker = world.start()
    world.publish([profile_event(handle="private-name"), profile_event(handle=["private-name"])])
    wait_until(lambda: "batch stored" in sinker.messages())
    text = sinker.log_path.read_text()
    assert len(sinker.log()) == len(text.splitlines())
    assert "private-name" not in text
    entry = next(entry for entry in sinker.log() if entry["message"] == "batch stored")
    assert entry["queue"] == "profile_log_events_q"
    assert entry["rows"] == 1
    assert {"bytes", "ms", "batch_id"} <= set(entry)
    password = world.settings.clickhouse_password.get_secret_value()
    assert password not in text


def test_clients_that_say_nothing_or_go_away_leave_no_trace(world: SinkerWorld) -> None:
    """A thread per connection: one that waits for ever is a leak, and one that fails must not spoil the JSON log."""
    sinker = world.start()
    silent = socket.create_connection(("127.0.0.1", sinker.http_port))
    silent.settimeout(30)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", sinker.http_port)) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close by a reset
            gone.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
    assert silent.recv(1) == b"", "it is left after some seconds"
    assert len(sinker.log()) == len(sinker.log_path.read_text().splitlines())
    assert sinker.get("/livez").status_code == 200


def test_a_taken_port_is_a_line_of_the_json_log(world: SinkerWorld) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sinker = world.start(wait=False, http_port=taken.getsockname()[1])
        assert sinker.process.wait(30) == 3
    (entry,) = sinker.log()
    assert (entry["level"], len(sinker.log_path.read_text().splitlines())) == ("CRITICAL", 1)
    assert "SINKER_HTTP_PORT" in entry["message"]


def test_the_lag_is_that_of_every_stored_event(world: SinkerWorld) -> None:
    """One batch of a new, two old and a very old event; a duplicate and poison are not stored and do not count."""
    sinker = world.start(batch_seconds=2)
    now = time.time()
    events = [
        profile_event(event_timestamp=time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now - age)))
        for age in (0, 200, 200, 50_000)
    ]
    world.publish([*events, events[0], b"{"])
    wait_until(lambda: sinker.metric("sinker_messages_acknowledged_total") == 6)
    counts = [
        sinker.metric("sinker_event_lag_seconds_bucket", le=f"{bound}.0") for bound in (60, 120, 300, 21600, 86400)
    ]
    assert counts == [1, 1, 3, 3, 4]
    assert sinker.metric("sinker_event_lag_seconds_count") == 4
    assert 50_400 < sinker.metric("sinker_event_lag_seconds_sum") < 50_500
