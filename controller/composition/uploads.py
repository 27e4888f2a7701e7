"""Uploads: addresses that the object store takes them at, and the service that hands them out."""

from dataclasses import dataclass
from uuid import uuid4

from controller.api.openapi import BASE_PATH
from controller.api.uploads import UploadReceiver
from controller.auth.upload_tickets import SignedUploads
from controller.domain.jobs import JobDesk
from controller.domain.media import Upload, UploadRules, UploadTicket, UploadTickets
from controller.domain.media_service import MediaService
from controller.domain.ports import Clock
from controller.errors import ObjectsUnavailable
from controller.settings import Settings
from ingest import ObjectStore, ObjectStoreError
from ingest.s3 import S3ObjectStore

_MAX_IMAGE_BYTES = 25_000_000


@dataclass(frozen=True, slots=True)
class MediaParts:
    """The service, and where uploads arrive when the store has no address of its own."""

    service: MediaService
    receiver: UploadReceiver | None


def build_media(
    settings: Settings, objects: ObjectStore, jobs: JobDesk, secret: bytes, clock: Clock
) -> MediaParts:
    """Over the configured object store."""
    receiver: UploadReceiver | None = None
    tickets: UploadTickets
    if isinstance(objects, S3ObjectStore):
        tickets = _PresignedUploads(objects, clock)
    else:
        base_url = f"{settings.public_url}{BASE_PATH}/media/uploads"
        signed = tickets = SignedUploads(secret, base_url, clock)
        folder = settings.data_dir.absolute() / "tmp" / "uploads"
        receiver = UploadReceiver(signed, objects, folder)
    rules = UploadRules(_MAX_IMAGE_BYTES, settings.media_max_bytes, settings.upload_url_ttl_s)
    service = MediaService(tickets, _StoredUploads(objects), jobs, rules, clock, uuid4)
    return MediaParts(service, receiver)


class _PresignedUploads:
    """Tickets of an S3 store."""

    def __init__(self, store: S3ObjectStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def issue(self, upload: Upload) -> UploadTicket:
        """See `UploadTickets.issue`."""
        expires_s = max(1, round((upload.expires_at - self._clock.now()).total_seconds()))
        url = self._store.presigned_put(upload.key, upload.content_type, upload.size, expires_s)
        return UploadTicket(upload, url, {"Content-Type": upload.content_type})


class _StoredUploads:
    """What is in the object store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def size(self, key: str) -> int | None:
        """See `UploadedObjects.size`."""
        try:
            stored = await self._store.stat(key)
        except ObjectStoreError as error:
            raise ObjectsUnavailable from error
        return None if stored is None else stored.size
