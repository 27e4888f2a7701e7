"""Which store the settings name, and where players find what it holds."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import ValidationError

from controller.composition.objects import build_store, build_uploader, s3_settings
from controller.errors import ConfigurationError
from controller.settings import load_settings
from ingest import LocalObjectStore
from ingest.s3 import S3ObjectStore

B2 = {
    "store_url": "s3://shop/live/vods",
    "s3_endpoint": "https://s3.us-west-004.backblazeb2.com",
    "s3_region": "us-west-004",
    "s3_access_key_id": "the-id",
    "s3_secret_access_key": "hush-hush",
}


@pytest.mark.parametrize(
    ("store_url", "root"),
    [("", "objects"), ("file:///srv/a%20b", Path("/srv/a b"))],
)
async def test_recordings_are_kept_in_a_folder_unless_a_bucket_is_named(tmp_path, store_url, root):
    settings = load_settings(data_dir=tmp_path, store_url=store_url)
    async with AsyncExitStack() as stack:
        store = build_store(settings, stack)
        assert isinstance(store, LocalObjectStore)
        assert store._root == tmp_path / root
    assert settings.vod_base == settings.public_url


async def test_a_bucket_is_opened_with_its_prefix_and_key(tmp_path):
    settings = load_settings(data_dir=tmp_path, **B2)
    at = s3_settings(settings)
    assert (at.bucket, at.prefix) == ("shop", "live/vods")
    assert (at.access_key_id, at.secret_access_key) == ("the-id", "hush-hush")
    async with AsyncExitStack() as stack:
        assert isinstance(build_store(settings, stack), S3ObjectStore)
    for text in (repr(settings), str(settings), repr(at)):
        assert "hush" not in text
        assert "the-id" not in text


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({}, "https://s3.us-west-004.backblazeb2.com/shop/live/vods"),
        ({"s3_path_style": False}, "https://shop.s3.us-west-004.backblazeb2.com/live/vods"),
        (
            {"store_url": "s3://shop", "s3_endpoint": ""},
            "https://s3.us-west-004.amazonaws.com/shop",
        ),
        ({"vod_base_url": "https://cdn.example/"}, "https://cdn.example"),
    ],
)
def test_recordings_in_a_bucket_are_played_from_it_or_from_the_cdn(changes, url):
    assert load_settings(**{**B2, **changes}).vod_base == url


def test_a_bucket_without_a_key_is_said(tmp_path):
    settings = load_settings(data_dir=tmp_path, **{**B2, "s3_secret_access_key": ""})
    with pytest.raises(ConfigurationError, match="GOLIVE_S3_SECRET_ACCESS_KEY"):
        s3_settings(settings)


@pytest.mark.parametrize(
    "changes",
    [
        {"store_url": "b2://shop"},
        {"store_url": "s3://id:secret@shop"},
        {"store_url": "s3://shop/a?b"},
        {"s3_endpoint": "s3.us-west-004.backblazeb2.com"},
        {"s3_endpoint": "https://id:secret@s3.example"},
        {"s3_endpoint": "https://s3.example/path"},
    ],
)
def test_what_is_no_store_is_refused(changes):
    with pytest.raises(ValidationError):
        load_settings(**{**B2, **changes})


async def test_a_data_folder_that_cannot_be_used_is_said(tmp_path):
    (tmp_path / "uploads.db").mkdir()
    settings = load_settings(data_dir=tmp_path)
    async with AsyncExitStack() as stack:
        with pytest.raises(ConfigurationError, match=r"uploads\.db"):
            build_uploader(settings, build_store(settings, stack), stack)
