"""The scraper's outbound calls, as its trace log tells them: one for each request of the last days that was run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

import pyarrow as pa

from devstack.beat.events import Message, iso_time
from devstack.beat.log_entries import Trace
from devstack.world import draws
from devstack.world.size import World
from devstack.world.timeline import DAY

DAYS = 7
_YOUTUBE, _PROVIDER = "https://www.googleapis.example/youtube/v3", "https://provider.example/v1"


def calls(world: World, requests: pa.Table) -> pa.Table:
    """The requests that were run in the last DAYS days, in the order of their ends."""
    first = (world.as_of_epoch - DAYS * DAY) * 1_000_000
    run = requests.filter(pa.compute.greater_equal(requests["scraped_at"].cast(pa.int64()), first))
    return run.sort_by([("scraped_at", "ascending"), ("id", "ascending")])


def messages(world: World, run: pa.Table) -> Iterator[Message]:
    """trace_log messages of these requests; secrets in addresses and headers are the sinker's to blank."""
    salt = draws.salt(world.seed, world.as_of_epoch, "traces")
    for batch in run.to_batches(max_chunksize=10_000):
        identity = draws.event_ids(batch["id"].to_numpy(), salt).to_pylist()
        for name, row in zip(identity, batch.to_pylist(), strict=True):
            host = _YOUTUBE if "_yt_" in row["flow"] else _PROVIDER
            yield Trace(
                id=name,
                hostname=f"beat-{row['id'] % 4}",
                timestamp=iso_time(row["scraped_at"].replace(tzinfo=UTC)),
                timeTaken=int(row["id"] % 11 == 0),
                method="GET",
                uri=f"{host}/{row['flow']}?page={row['id'] % 3}&key=synthetic",
                headers={"accept": "application/json", "x-rapidapi-key": "synthetic"},
                responseStatus=200 if row["status"] == "COMPLETE" else 404,
                remoteAddress=host,
            ).message()
