"""The object store that the settings name, and the uploader that fills it."""

from contextlib import AsyncExitStack
from pathlib import Path
from urllib.parse import unquote, urlsplit

from controller.errors import ConfigurationError
from controller.settings import Settings
from ingest import IngestError, LocalObjectStore, ObjectStore, SplitStore, Uploader, UploadLedger
from ingest.derivatives import PRIVATE
from ingest.s3 import S3ObjectStore, S3Settings, s3_client

LEDGER_FILE = "uploads.db"


def build_uploader(settings: Settings, store: ObjectStore, stack: AsyncExitStack) -> Uploader:
    """The uploader over the store; `stack` closes it. Raises ConfigurationError."""
    try:
        ledger = UploadLedger(settings.data_dir.absolute() / LEDGER_FILE)
    except IngestError as error:
        raise ConfigurationError(f"The data folder cannot be used: {error}") from error
    uploader = Uploader(ledger, store)
    stack.push_async_callback(uploader.close)
    return uploader


def s3_settings(settings: Settings) -> S3Settings:
    """What `store_url` and the `s3_…` settings say. Raises ConfigurationError."""
    return _s3_settings_at(settings, settings.store_url)


def private_s3_settings(settings: Settings) -> S3Settings | None:
    """The bucket of what not everybody may play; None without one. Raises ConfigurationError."""
    if not (settings.bucket_url and settings.private_store_url):
        return None
    if settings.private_store_url == settings.store_url:
        raise ConfigurationError(
            "GOLIVE_PRIVATE_STORE_URL must be another place than GOLIVE_STORE_URL"
        )
    return _s3_settings_at(settings, settings.private_store_url)


def _s3_settings_at(settings: Settings, url: str) -> S3Settings:
    parts = urlsplit(url)
    key_id = settings.s3_access_key_id.get_secret_value()
    secret = settings.s3_secret_access_key.get_secret_value()
    if not parts.hostname:
        raise ConfigurationError("GOLIVE_STORE_URL names no bucket: s3://bucket/prefix")
    if not (key_id and secret):
        raise ConfigurationError(
            "GOLIVE_STORE_URL is a bucket: set GOLIVE_S3_ACCESS_KEY_ID and "
            "GOLIVE_S3_SECRET_ACCESS_KEY as well"
        )
    return S3Settings(
        bucket=parts.netloc,
        prefix=parts.path.strip("/"),
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key_id=key_id,
        secret_access_key=secret,
        path_style=settings.s3_path_style,
    )


def build_private_reader(settings: Settings, stack: AsyncExitStack) -> S3ObjectStore | None:
    """For players of what not everybody may play; None where nginx sends that from a folder.

    Apart from the uploader's, so that nobody who watches waits for an upload.
    """
    at = private_s3_settings(settings)
    return _bucket(at, stack) if at else None


def build_store(settings: Settings, stack: AsyncExitStack) -> SplitStore:
    """The store that the settings name; `stack` closes it.

    Raises ConfigurationError, which names the setting. Whether the store answers shows later: a
    store that is away must not keep the daemon from starting. In a folder nginx checks who may
    play; a bucket cannot, so what is not for everyone stays out of it
    (docs/decisions/0009-private-recordings.md).
    """
    here = LocalObjectStore(settings.data_dir.absolute() / "objects")
    if settings.bucket_url:
        public = _bucket(s3_settings(settings), stack)
        private = private_s3_settings(settings)
        return SplitStore(public, _bucket(private, stack) if private else here)
    if settings.store_url:
        here = LocalObjectStore(Path(unquote(urlsplit(settings.store_url).path)))
    return SplitStore(here, here)


def _bucket(at: S3Settings, stack: AsyncExitStack) -> S3ObjectStore:
    try:
        s3 = S3ObjectStore(at, s3_client(at))
    except ValueError as error:
        raise ConfigurationError(
            "GOLIVE_S3_ENDPOINT, GOLIVE_S3_REGION or the bucket's name cannot be used"
        ) from error
    stack.push_async_callback(s3.close)
    return s3


def vod_url(settings: Settings, key: str) -> str:
    """Where players find an object of a recording."""
    if key.startswith(PRIVATE):
        return f"{settings.private_vod_base}/{key.removeprefix(PRIVATE)}"
    return f"{settings.vod_base}/{key}"
