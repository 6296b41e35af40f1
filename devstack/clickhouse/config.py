"""The server configuration file: logs, memory limit, and the named collection that holds the S3 credentials."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

from pydantic import BaseModel, Field, SecretStr

from devstack.settings import EXPORT_BUCKET, HOST, NAMED_COLLECTION, Secrets, StackSettings


class NamedCollection(BaseModel):
    """One named collection, for `s3(<name>, filename = ..., format = ...)`."""

    name: str
    url: str = Field(description="URL of the bucket, with a trailing slash")
    access_key_id: str
    secret_access_key: SecretStr


class ServerConfiguration(BaseModel):
    """What the engine reads at its start."""

    max_server_memory_bytes: int = Field(2_500_000_000, description="memory limit of all queries together, in bytes")
    max_threads: int = Field(0, description="threads of one query; 0 leaves it to the engine")
    query_log_flush_milliseconds: int = Field(1000, description="how often system.query_log is written")
    named_collections: list[NamedCollection] = Field(default_factory=list)

    @classmethod
    def of_stack(cls, stack: StackSettings) -> ServerConfiguration:
        """The local stack's: its memory limit, and its S3 bucket as a named collection once it has credentials."""
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
        return cls(max_server_memory_bytes=stack.clickhouse_memory_bytes, named_collections=collections)

    def to_xml(self) -> str:
        """The configuration in ClickHouse's own file format."""
        root = ElementTree.Element("clickhouse")

        def add(parent: ElementTree.Element, tag: str, text: object = None) -> ElementTree.Element:
            element = ElementTree.SubElement(parent, tag)
            if text is not None:
                element.text = str(text)
            return element

        add(root, "max_server_memory_usage", self.max_server_memory_bytes)
        log = add(root, "query_log")
        add(log, "database", "system")
        add(log, "table", "query_log")
        add(log, "flush_interval_milliseconds", self.query_log_flush_milliseconds)
        if self.max_threads:
            add(add(add(root, "profiles"), "default"), "max_threads", self.max_threads)
        collections = add(root, "named_collections")
        for collection in self.named_collections:
            element = add(collections, collection.name)
            add(element, "url", collection.url)
            add(element, "access_key_id", collection.access_key_id)
            add(element, "secret_access_key", collection.secret_access_key.get_secret_value())
        ElementTree.indent(root)
        return ElementTree.tostring(root, encoding="unicode") + "\n"

    def write(self, path: Path) -> Path:
        """Write the file so that only its owner can read it, replacing an older one in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".new")
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(self.to_xml())
        temporary.replace(path)
        return path
