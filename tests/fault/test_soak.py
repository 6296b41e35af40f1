"""Everything breaks, one thing after the other, while events keep arriving. At the end the count is exact.

STIR_SOAK_SECONDS says how long (180), STIR_SOAK_SEED repeats the order of an earlier run.
"""

from __future__ import annotations

import logging
import os
import random
import time

import pytest

from tests.fault.sinker_process import SinkerProcess, SinkerWorld, wait_until
from tests.fault.steady_publisher import SteadyPublisher
from tests.fault.tcp_proxy import TcpProxy
from tests.fault.test_server_outages import kill_and_restart

SECONDS = float(os.environ.get("STIR_SOAK_SECONDS", "180"))
SEED = int(os.environ.get("STIR_SOAK_SEED") or random.SystemRandom().randrange(1 << 32))
TYPES = ("profile_log", "post_log", "scrape_request_log")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(SECONDS + 300)]


class Troublemaker:
    """Two sinkers behind proxies, and every way to break them or what they need."""

    def __init__(
        self, world: SinkerWorld, rabbitmq, clickhouse, to_rabbitmq: TcpProxy, to_clickhouse: TcpProxy
    ) -> None:
        self._world = world
        self._rabbitmq = rabbitmq
        self._clickhouse = clickhouse
        self._to_rabbitmq = to_rabbitmq
        self._to_clickhouse = to_clickhouse
        self._random = random.Random(SEED)  # noqa: S311 -- to be repeated
        self.sinkers = [self._start(), self._start()]

    def _start(self) -> SinkerProcess:
        return self._world.start(
            wait=False,
            rabbitmq_port=self._to_rabbitmq.port,
            clickhouse_http_port=self._to_clickhouse.port,
            batch_rows=200,
            prefetch=2000,
            # On a busy machine a killed sinker's last insert may need a moment to get through the proxy.
            redelivery_settle_seconds=2,
        )

    def one(self) -> str:
        """Break one thing, and mend it unless it mends itself. Returns what it was."""
        # A single rare and slow one among many quick ones: the servers need seconds to come back.
        trouble = self._random.choice(
            [
                self.sinker_killed,
                self.sinker_killed,
                self.sinker_stopped,
                self.connections_to_rabbitmq_cut,
                self.connections_to_clickhouse_cut,
                self.replies_of_clickhouse_lost,
                self.clickhouse_killed,
                self.broker_killed,
            ]
        )
        trouble()
        for sinker in self.sinkers:
            assert sinker.process.poll() is None, f"a sinker ended by itself: {sinker.log_path.read_text()[-3000:]}"
        return trouble.__name__.replace("_", " ")

    def sinker_killed(self) -> None:
        at = self._random.randrange(2)
        self.sinkers[at].kill()
        self.sinkers[at] = self._start()

    def sinker_stopped(self) -> None:
        at = self._random.randrange(2)
        assert self.sinkers[at].terminate(within=40) in {0, -15}  # -15: it was told before it could listen
        self.sinkers[at] = self._start()

    def connections_to_rabbitmq_cut(self) -> None:
        self._to_rabbitmq.cut()

    def connections_to_clickhouse_cut(self) -> None:
        self._to_clickhouse.cut()

    def replies_of_clickhouse_lost(self) -> None:
        self._to_clickhouse.hold_replies()
        deadline = time.monotonic() + 3
        while not self._to_clickhouse.bytes_held["reply"] and time.monotonic() < deadline:
            time.sleep(0.05)
        self._to_clickhouse.drop_held()

    def clickhouse_killed(self) -> None:
        kill_and_restart(self._clickhouse, pause=self._random.uniform(0, 2))

    def broker_killed(self) -> None:
        kill_and_restart(self._rabbitmq)


def test_soak(
    world: SinkerWorld,
    rabbitmq_service,
    clickhouse_service,
    rabbitmq_proxy: TcpProxy,
    clickhouse_proxy: TcpProxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All cases in any order and on top of each other. Confirmed = stored once each + dead."""
    caplog.set_level(logging.CRITICAL, "pika")  # the publisher's connections fail all the time
    print(f"STIR_SOAK_SEED={SEED}")
    world.serve(*TYPES)
    troubles = Troublemaker(world, rabbitmq_service, clickhouse_service, rabbitmq_proxy, clickhouse_proxy)
    pauses = random.Random(SEED)  # noqa: S311 -- to be repeated
    begin = time.monotonic()
    with SteadyPublisher(world, TYPES, per_second=400, poison_share=0.005) as publisher:
        while time.monotonic() < begin + SECONDS:
            time.sleep(pauses.uniform(0.5, 4))
            print(f"{time.monotonic() - begin:6.1f} s, {len(publisher.confirmed):,} confirmed: {troubles.one()}")
    for sinker in troubles.sinkers:
        wait_until(sinker.ready, what="sinker ready")
    world.wait_until_acknowledged(120)

    world.sent = [*publisher.confirmed, *(publisher.uncertain & world.stored().keys())]
    print(f"{len(publisher.confirmed):,} confirmed, {len(publisher.uncertain)} uncertain, {len(world.sent):,} expected")
    world.assert_each_stored_once()
    dead = {body for name in TYPES for _, body, _ in world.dead(name)}
    assert publisher.poison["confirmed"] <= dead
    assert dead <= publisher.poison["confirmed"] | publisher.poison["uncertain"]
    assert len(publisher.confirmed) > 50 * SECONDS, "hardly anything was published"
