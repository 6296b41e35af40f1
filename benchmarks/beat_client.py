"""Requests per second of the Beat client, beside a loop of bare HTTP posts and the limit that the latency sets.

    python benchmarks/beat_client.py [--latency 50] [--rounds 3]

Beat is a process of its own that answers every request as Beat does, `--latency` milliseconds after it came. At each
parallelism the client sends scrape requests without a limit of their rate, and as many threads post the same bodies
with httpx and nothing else: no reply is read, no retry, no count. Client and loop take turns. The limit is parallelism
divided by latency.
"""

# ruff: noqa: E402 -- the repository is put on the path first

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "plugins")]

import httpx
import orjson
import uvicorn
from stir.beat_client import BeatClient, ScrapeRequest

from benchmarks.event_store.report import print_table, say

HOST = "127.0.0.1"
FLOW = "refresh_profile_by_handle"
ACCEPTED = orjson.dumps(
    {"status": {"type": "SUCCESS", "message": "Scrape request log added"}, "code": 200, "scrape_id": 1}
)
SECONDS = 3.0
"""How long one measurement would last at the limit."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency", type=int, default=50, help="milliseconds until Beat answers (default 50)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each kind (default 3)")
    parser.add_argument("--parallel", type=int, nargs="+", default=[1, 4, 8, 16, 32], help="default 1 4 8 16 32")
    options = parser.parse_args()
    rows = []
    with beat(options.latency / 1000) as address:
        for parallel in options.parallel:
            limit = parallel / options.latency * 1000
            count = max(20, int(limit * SECONDS))
            rates: dict[str, list[float]] = {"client": [], "bare": []}
            for number in range(options.rounds):
                say(f"{parallel} in flight, round {number + 1} of {options.rounds}")
                rates["client"].append(rate(count, lambda p=parallel, n=count: by_client(address, p, n)))
                rates["bare"].append(rate(count, lambda p=parallel, n=count: by_bare_posts(address, p, n)))
            client, bare = (statistics.median(rates[name]) for name in ("client", "bare"))
            shares = (f"{client / limit:.2f}", f"{client / bare:.2f}")
            rows.append((parallel, f"{limit:,.0f}", spread(rates["client"]), spread(rates["bare"]), *shares))
    print(f"Beat answers after {options.latency} ms; {os.cpu_count()} cores, {datetime.now(UTC).date()}")
    print_table("in flight|limit|client, requests/s|bare posts, requests/s|client / limit|client / bare", rows)


def rate(count: int, send: Callable[[], None]) -> float:
    begin = time.perf_counter()
    send()
    return count / (time.perf_counter() - begin)


def by_client(address: str, parallel: int, count: int) -> None:
    """What a scrape-request task does with its requests. Exits if one of them was not accepted."""
    with BeatClient(address, parallel=parallel, per_second=1e6) as client:
        outcome = client.create_all(requests(count), may_stop=lambda outcome: False)
    if outcome.sent != count:
        raise SystemExit(f"{outcome.sent} of {count} sent: {outcome.errors[:3]}")


def by_bare_posts(address: str, parallel: int, count: int) -> None:
    limits = httpx.Limits(max_connections=parallel, max_keepalive_connections=parallel)
    with httpx.Client(base_url=address, limits=limits) as http, ThreadPoolExecutor(parallel) as pool:
        for reply in pool.map(
            lambda one: http.post(f"/scrape_request_log/flow/{FLOW}", content=one.body()), requests(count)
        ):
            reply.raise_for_status()


def requests(count: int) -> Iterator[ScrapeRequest]:
    for number in range(count):
        yield ScrapeRequest(FLOW, "INSTAGRAM", {"handle": f"creator.{number}"}, f"creator.{number}", f"key-{number}")


@contextmanager
def beat(latency: float) -> Iterator[str]:
    """Address of a server that answers after `latency` seconds."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        listening.listen(128)
        process = multiprocessing.get_context("fork").Process(target=serve, args=(listening, latency), daemon=True)
        process.start()
        try:
            yield f"http://{HOST}:{listening.getsockname()[1]}"
        finally:
            process.terminate()
            process.join()


def serve(listening: socket.socket, latency: float) -> None:
    async def answer(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(latency)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ACCEPTED)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ACCEPTED})

    uvicorn.Server(uvicorn.Config(answer, log_level="error", lifespan="off")).run(sockets=[listening])


def spread(rates: list[float]) -> str:
    return f"{statistics.median(rates):,.0f} ({min(rates):,.0f} - {max(rates):,.0f})"


if __name__ == "__main__":
    main()
