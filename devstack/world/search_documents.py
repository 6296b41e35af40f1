"""The channels of a world as Vidooly's search index holds them: one document a channel, counters as text.

It is the directory that `vidooly.youtube_channels` has snapshots of, as it stands at the end of the world's history.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from devstack.world import channels
from devstack.world.size import World
from devstack.world.vocabulary import COUNTRIES


def of(world: World) -> Iterator[dict[str, Any]]:
    """Documents of all channels, by their position in the world. What a channel does not have is left out."""
    seen = f"{world.as_of:%Y-%m-%dT%H:%M:%S.000Z}"
    for start in channels.chunks(world):
        chunk = channels.chunk(world, start)
        texts = zip(
            *(chunk.channel_id.to_pylist(), chunk.title.to_pylist(), chunk.description.to_pylist()),
            *(chunk.custom_url.to_pylist(), chunk.thumbnail.to_pylist()),
            strict=True,
        )
        facts = zip(
            *(chunk.country.tolist(), chunk.created.tolist(), chunk.hidden.tolist()),
            *(counter.today.astype(int).tolist() for counter in (chunk.uploads, chunk.views, chunk.subscribers)),
            strict=True,
        )
        for (channel_id, title, description, custom_url, thumbnail), fact in zip(texts, facts, strict=True):
            country, created, hidden, uploads, views, subscribers = fact
            snippet = {
                "title": title,
                "description": description,
                "customUrl": custom_url,
                "publishedAt": f"{datetime.fromtimestamp(created, UTC):%Y-%m-%dT%H:%M:%SZ}",
                "thumbnails": {"default": {"url": thumbnail}},
                "country": COUNTRIES[country],
            }
            yield {
                "id": channel_id,
                "created_at": seen,
                "last_updated": seen,
                "snippet": {name: value for name, value in snippet.items() if value is not None},
                "statistics": {
                    "videoCount": str(uploads),
                    "viewCount": str(views),
                    "subscriberCount": str(subscribers),
                    "hiddenSubscriberCount": hidden,
                },
            }
