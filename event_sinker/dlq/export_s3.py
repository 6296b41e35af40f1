"""An S3 object as the target of an export."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

import boto3
from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from event_sinker.errors import SinkerError

_LARGEST = 5 << 30  # bytes; S3 takes no more in one request, and only one request can be conditional


class S3Object:
    """An `export.Target`. Region, endpoint and credentials come from the usual AWS variables and files.

    Its methods raise SinkerError when S3 cannot be reached or refuses.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._bucket, _, self._key = url.removeprefix("s3://").partition("/")
        if not self._bucket or not self._key or self._key.endswith("/"):
            raise SinkerError(f"{url}: expected s3://bucket/key")

    def __str__(self) -> str:
        return self._url

    def require_absent(self) -> None:
        with self._explained():
            self._client = boto3.client("s3")
            try:
                self._client.head_object(Bucket=self._bucket, Key=self._key)
            except ClientError as error:
                if _status(error) != 404:  # Not Found
                    raise
                return
        raise FileExistsError

    def open(self) -> BinaryIO:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- discard() closes it
        return self._file

    def publish(self) -> None:
        size = self._file.tell()
        if size > _LARGEST:
            raise SinkerError(f"{self._url}: {size:,} bytes are more than one S3 request takes. Use --limit, or a file")
        self._file.seek(0)
        with self._explained():
            try:
                self._client.put_object(Bucket=self._bucket, Key=self._key, Body=self._file, IfNoneMatch="*")
            except ClientError as error:
                if _status(error) == 412:  # Precondition Failed
                    raise FileExistsError from None
                raise
            stored = self._client.head_object(Bucket=self._bucket, Key=self._key)["ContentLength"]
        if stored != size:
            raise SinkerError(
                f"{self._url}: {size} bytes were sent and {stored} are there. No letter was taken out of the queue; "
                "remove the object and try again"
            )

    def discard(self) -> None:
        self._file.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ClientError, BotoCoreError, Boto3Error) as error:
            raise SinkerError(
                f"{self._url}: {error}. No letter was taken out of the queue. AWS_DEFAULT_REGION, AWS_ENDPOINT_URL, "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role, say where it is and who asks"
            ) from None


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]
