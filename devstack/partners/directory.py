"""The search engine's content: the channels of the world that is loaded, read from it when somebody searches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

from devstack.search.index import Engine
from devstack.world import marker
from devstack.world.size import SIZES, World

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

INDEX = "youtube_channels_api"


class Directory:
    """Keeps one index of an engine at the world that ClickHouse says is loaded; there is no index before one is."""

    def __init__(self, engine: Engine, connect: Callable[[], Client]) -> None:
        self._engine = engine
        self._connect = connect
        self._holds: World | None = None
        self._filling = threading.Lock()

    def refresh(self) -> None:
        """Fill the index anew when another world has been loaded since. Errors of ClickHouse are passed on."""
        with self._filling:
            with closing(self._connect()) as client:
                loaded = marker.read(client)
            world = World(SIZES[loaded.size], loaded.seed, loaded.as_of) if loaded else None
            if world == self._holds:
                return
            self._engine.indices.pop(INDEX, None)
            if world:
                from devstack.world import search_documents  # with numpy and Arrow: not before it is needed

                self._engine.indices[INDEX] = {document["id"]: document for document in search_documents.of(world)}
            self._holds = world
