"""S3: a moto server with the export bucket. It keeps objects in memory, so they are gone after a restart."""

from __future__ import annotations

import sys

import boto3
from botocore.client import BaseClient
from botocore.config import Config

from devstack.services.base import Service
from devstack.settings import EXPORT_BUCKET, HOST

REGION = "us-east-1"


class S3Service(Service):
    name = "s3"
    port_names = ("s3",)

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.settings.port('s3')}/{EXPORT_BUCKET}/"

    def command(self) -> list[str | object]:
        return [sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(self.settings.port("s3"))]

    def client(self) -> BaseClient:
        """S3 client with the stack's keys."""
        return boto3.client(
            "s3",
            endpoint_url=f"http://{HOST}:{self.settings.port('s3')}",
            region_name=REGION,
            aws_access_key_id=self.secrets.s3_access_key,
            aws_secret_access_key=self.secrets.s3_secret_key,
            config=Config(connect_timeout=1, read_timeout=10, retries={"total_max_attempts": 1}),
        )

    def probe(self) -> bool:
        self.client().list_buckets()
        return True

    def provision(self) -> None:
        client = self.client()
        if EXPORT_BUCKET not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
            client.create_bucket(Bucket=EXPORT_BUCKET)
