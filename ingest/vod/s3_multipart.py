"""One object in parts, as S3 wants it: for files that are too large for a single request."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from ingest.errors import ObjectStoreError
from ingest.ports import ObjectKind

_MOST_PARTS = 10_000


class MultipartUpload:
    """A multipart upload of the file at `path`. Calls block, and raise what botocore does.

    Parts are of `part_bytes`, larger where there would be too many. One is in memory at a time;
    each is verified by its MD5.
    """

    def __init__(self, client: Any, bucket: str, key: str, path: Path, part_bytes: int) -> None:
        self._client = client
        self._object = {"Bucket": bucket, "Key": key}
        self._path = path
        self.size = path.stat().st_size
        self._part_bytes = max(part_bytes, -(-self.size // _MOST_PARTS))
        self._id = ""
        self._sent: list[dict[str, Any]] = []

    def parts(self) -> range:
        """The numbers of the parts, to be sent in this order."""
        return range(1, -(-self.size // self._part_bytes) + 1)

    def begin(self, kind: ObjectKind) -> None:
        """Announce the upload."""
        answer = self._client.create_multipart_upload(
            **self._object, ContentType=kind.content_type, CacheControl=kind.cache_control
        )
        self._id = answer["UploadId"]

    def send(self, number: int) -> None:
        """Send a part. Raises ObjectStoreError when the store has other bytes."""
        with self._path.open("rb") as file:
            file.seek((number - 1) * self._part_bytes)
            data = file.read(self._part_bytes)
        digest = hashlib.md5(data, usedforsecurity=False)
        answer = self._client.upload_part(
            **self._object,
            UploadId=self._id,
            PartNumber=number,
            Body=data,
            ContentMD5=base64.b64encode(digest.digest()).decode(),
        )
        etag = answer["ETag"]
        if etag.strip('"') != digest.hexdigest():
            raise ObjectStoreError(f"part {number} was stored with other content than was sent")
        self._sent.append({"PartNumber": number, "ETag": etag})

    def complete(self) -> None:
        """Put the parts together: from now on the object is there."""
        self._client.complete_multipart_upload(
            **self._object, UploadId=self._id, MultipartUpload={"Parts": self._sent}
        )

    def abort(self) -> None:
        """Have the store forget the parts."""
        self._client.abort_multipart_upload(**self._object, UploadId=self._id)
