"""The object store on S3: Backblaze B2, Amazon S3, Ceph and others that speak it.

What is sent keeps to what all of them take: signature version 4, no checksum headers but
Content-MD5, no conditional writes, no tagging. Nothing is retried here.
"""

import asyncio
import base64
import contextlib
import hashlib
import io
import logging
import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.handlers import add_expect_header
from botocore.parsers import ResponseParserError
from botocore.session import Session

from ingest.errors import ObjectStoreError, ObjectStoreRefused
from ingest.ports import ObjectKind, StoredObject
from ingest.vod.daemon_threads import DaemonThreads
from ingest.vod.s3_errors import is_absent, translated
from ingest.vod.s3_multipart import MultipartUpload
from ingest.vod.s3_settings import S3Settings

T = TypeVar("T")

_MD5 = re.compile(r"[0-9a-f]{32}")
_HASH_BYTES = 1 << 20
_PIECE_BYTES = 32 << 20


def s3_client(settings: S3Settings) -> Any:
    """A boto3 client for S3 as B2 wants to be spoken to; takes a moment, and no environment."""
    for name in ("boto3", "botocore", "urllib3"):  # at DEBUG they write signed headers and URLs
        logging.getLogger(name).setLevel(logging.INFO)
    nowhere = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    client = boto3.Session(botocore_session=Session(nowhere)).client(
        "s3",
        endpoint_url=settings.endpoint or None,
        region_name=settings.region or "us-east-1",
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if settings.path_style else "virtual"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 1},
            max_pool_connections=settings.connections,
            connect_timeout=settings.connect_timeout_s,
            read_timeout=settings.read_timeout_s,
            tcp_keepalive=True,
            ignore_configured_endpoint_urls=True,
        ),
    )
    # `Expect: 100-continue` costs a round trip an object; ours are small enough to send at once.
    client.meta.events.unregister("before-call.s3", add_expect_header)
    return client


class S3ObjectStore:
    """Objects in one bucket below one prefix.

    At most `settings.connections` calls run at once, each in a thread of this store's own;
    further ones wait. A file is read while it is sent, never held in memory.
    """

    def __init__(self, settings: S3Settings, client: Any) -> None:
        self._settings = settings
        self._client = client
        self._threads = DaemonThreads(settings.connections, "s3")

    async def put_file(self, key: str, path: Path, kind: ObjectKind) -> StoredObject:
        """Store the file at `path`, a large one in parts; the store's ETags must be their MD5s.

        Raises ObjectStoreError, also when the file cannot be read.
        """
        if await asyncio.to_thread(_size, path) > self._settings.part_bytes:
            return await self._put_in_parts(key, path, kind)

        def put() -> StoredObject:
            with path.open("rb") as file:
                return self._put(key, file, kind)

        return await self._call("PutObject", key, put)

    async def put_bytes(self, key: str, data: bytes, kind: ObjectKind) -> StoredObject:
        """Store `data`; the store's ETag must be its MD5."""
        return await self._call("PutObject", key, lambda: self._put(key, io.BytesIO(data), kind))

    async def get_file(self, key: str, path: Path, most_bytes: int) -> int | None:
        """Download the object to `path`, in pieces, each within the time limit of a call."""
        stored = await self.stat(key)
        if stored is None:
            return None
        if stored.size > most_bytes:
            raise ObjectStoreRefused(f"{key} has {stored.size} bytes, more than {most_bytes}")
        await asyncio.to_thread(path.write_bytes, b"")
        for start in range(0, stored.size, _PIECE_BYTES):
            end = min(start + _PIECE_BYTES, stored.size)
            await self._call("GetObject", key, partial(self._append, key, path, start, end))
        return stored.size

    def presigned_put(self, key: str, content_type: str, size: int, expires_s: int) -> str:
        """A URL that takes one PUT of exactly `size` bytes of `content_type`, for `expires_s`.

        Both are signed headers: the store answers 403 to any other.
        """
        url: str = self._client.generate_presigned_url(
            "put_object",
            Params={
                "Bucket": self._settings.bucket,
                "Key": self._full(key),
                "ContentType": content_type,
                "ContentLength": size,
            },
            ExpiresIn=expires_s,
            HttpMethod="PUT",
        )
        return url

    async def stat(self, key: str) -> StoredObject | None:
        """What is stored under `key`; None when there is nothing."""
        return await self._call("HeadObject", key, lambda: self._head(key))

    async def holds(self, key: str, path: Path) -> bool:
        """Whether the object has the size and the MD5 of the file at `path`."""

        def compare() -> bool:
            stored = self._head(key)
            if stored is None or stored.size != path.stat().st_size:
                return False
            with path.open("rb") as file:
                return stored.md5 == _md5(file).hexdigest()

        return await self._call("HeadObject", key, compare)

    async def keys(self, prefix: str) -> Sequence[str]:
        """The keys of all objects that begin with `prefix`."""
        cut = len(self._full(""))

        def find() -> list[str]:
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._settings.bucket, Prefix=self._full(prefix)
            )
            return [item["Key"][cut:] for page in pages for item in page.get("Contents", [])]

        return await self._call("ListObjectsV2", prefix, find)

    async def delete(self, key: str) -> None:
        """Remove the object. One call an object: DeleteObjects sends a checksum header that B2
        may refuse."""
        await self._call(
            "DeleteObject",
            key,
            lambda: self._client.delete_object(Bucket=self._settings.bucket, Key=self._full(key)),
        )

    async def read(self, key: str, most_bytes: int) -> bytes | None:
        """The content of an object that is not larger than `most_bytes`; None without one."""

        def read() -> bytes | None:
            try:
                answer = self._client.get_object(Bucket=self._settings.bucket, Key=self._full(key))
            except ClientError as error:
                if is_absent(error):
                    return None
                raise
            with answer["Body"] as body:
                if answer["ContentLength"] > most_bytes:
                    raise ObjectStoreRefused(f"{key} is larger than {most_bytes} bytes")
                return bytes(body.read())

        return await self._call("GetObject", key, read)

    async def signed_url(self, key: str, valid_s: int) -> str:
        """Where anybody can read the object for `valid_s` seconds."""
        at = {"Bucket": self._settings.bucket, "Key": self._full(key)}
        return await self._call(
            "sign",
            key,
            lambda: str(self._client.generate_presigned_url("get_object", at, valid_s)),
        )

    async def check(self) -> None:
        """Raise unless the bucket answers to our key."""
        await self._call(
            "ListObjectsV2",
            "",
            lambda: self._client.list_objects_v2(
                Bucket=self._settings.bucket, Prefix=self._full(""), MaxKeys=1
            ),
        )

    async def close(self) -> None:
        """Take no more calls; those that run end by themselves, or with the process."""
        self._threads.shutdown()
        await asyncio.to_thread(self._client.close)

    def _put(self, key: str, body: IO[bytes], kind: ObjectKind) -> StoredObject:
        size = body.seek(0, io.SEEK_END)
        if size > self._settings.max_object_bytes:
            limit = self._settings.max_object_bytes
            raise ObjectStoreRefused(f"{key} has {size} bytes; one PUT takes at most {limit}")
        body.seek(0)
        digest = _md5(body)
        body.seek(0)
        answer = self._client.put_object(
            Bucket=self._settings.bucket,
            Key=self._full(key),
            Body=body,
            ContentLength=size,
            ContentMD5=base64.b64encode(digest.digest()).decode(),
            ContentType=kind.content_type,
            CacheControl=kind.cache_control,
        )
        stored = StoredObject(size, digest.hexdigest())
        self._verify(key, stored, answer.get("ETag", ""))
        return stored

    async def _put_in_parts(self, key: str, path: Path, kind: ObjectKind) -> StoredObject:
        """Each part within the time limit of a call; what fails leaves nothing behind."""
        upload = MultipartUpload(
            self._client, self._settings.bucket, self._full(key), path, self._settings.part_bytes
        )
        await self._call("CreateMultipartUpload", key, lambda: upload.begin(kind))
        try:
            for number in upload.parts():
                await self._call("UploadPart", key, partial(upload.send, number))
            await self._call("CompleteMultipartUpload", key, upload.complete)
        except BaseException:
            with contextlib.suppress(ObjectStoreError):
                await asyncio.shield(self._call("AbortMultipartUpload", key, upload.abort))
            raise
        stored = await self.stat(key)
        if stored is None or stored.size != upload.size:
            raise ObjectStoreError(f"{key} was stored with another size than was sent")
        return stored

    def _append(self, key: str, path: Path, start: int, end: int) -> None:
        answer = self._client.get_object(
            Bucket=self._settings.bucket, Key=self._full(key), Range=f"bytes={start}-{end - 1}"
        )
        with answer["Body"] as body, path.open("ab") as file:
            while chunk := body.read(_HASH_BYTES):
                file.write(chunk)
            if file.tell() != end:
                raise ObjectStoreError(f"{key} has changed while it was read")

    def _verify(self, key: str, sent: StoredObject, etag: str) -> None:
        """Content-MD5 has been checked by the store; its ETag or the object's size confirm it."""
        etag = etag.strip('"')
        if _MD5.fullmatch(etag):
            if etag != sent.md5:
                raise ObjectStoreError(f"{key} was stored with other content than was sent")
            return
        found = self._head(key)  # encrypted by the store: the ETag is no MD5
        if found is None or found.size != sent.size:
            raise ObjectStoreError(f"{key} was stored with another size than was sent")

    def _head(self, key: str) -> StoredObject | None:
        try:
            answer = self._client.head_object(Bucket=self._settings.bucket, Key=self._full(key))
        except ClientError as error:
            if is_absent(error):
                return None
            raise
        etag = answer.get("ETag", "").strip('"')
        return StoredObject(answer["ContentLength"], etag if _MD5.fullmatch(etag) else "")

    def _full(self, key: str) -> str:
        return f"{self._settings.prefix}/{key}" if self._settings.prefix else key

    async def _call(self, operation: str, key: str, function: Callable[[], T]) -> T:
        """Run `function` in a thread; what it raises is translated, without botocore's words."""
        what = f"{operation} {self._full(key)}".strip()
        failure: ObjectStoreError
        try:
            async with asyncio.timeout(self._settings.call_timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        except TimeoutError:
            failure = ObjectStoreError(f"{what}: not done in {self._settings.call_timeout_s:g} s")
        except (BotoCoreError, ClientError, ResponseParserError) as error:
            failure = translated(what, error)
        except OSError as error:
            failure = ObjectStoreError(f"{what}: the file cannot be read: {error.strerror}")
        # Raised out here, so that botocore's error, which quotes requests, is not its context.
        raise failure


def _size(path: Path) -> int:
    """0 for a file that is not there: whoever opens it says so."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _md5(body: IO[bytes]) -> "hashlib._Hash":
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := body.read(_HASH_BYTES):
        digest.update(chunk)
    return digest
