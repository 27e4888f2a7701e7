"""The public face of the S3 object store: apart from `ingest`, because it brings boto3, some ten
megabytes that the media workers never need."""

from ingest.vod.s3_settings import S3Settings
from ingest.vod.s3_store import S3ObjectStore, s3_client

__all__ = ["S3ObjectStore", "S3Settings", "s3_client"]
