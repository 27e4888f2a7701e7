"""What every object store does, whatever it is made of."""

import asyncio
import hashlib

import pytest

from ingest.errors import ObjectStoreError, ObjectStoreRefused
from ingest.ports import ObjectKind

MEDIA = ObjectKind("video/iso.segment", "public, max-age=31536000, immutable")
KEYS = ["vods/a.m3u8", "vods/a/video/segment-0.m4s", "one", "a b/ü+%20=&'.mp4", "k" * 200]


@pytest.fixture
def media(tmp_path):
    path = tmp_path / "segment-0.m4s"
    path.write_bytes(bytes(range(256)) * 4000)
    return path


@pytest.mark.parametrize("key", KEYS)
async def test_a_file_is_stored_under_its_key(opened, media, key):
    stored = await opened.store.put_file(key, media, MEDIA)
    assert stored.size == media.stat().st_size
    assert stored.md5 in {"", hashlib.md5(media.read_bytes()).hexdigest()}
    assert opened.contents() == {key: media.read_bytes()}


@pytest.mark.parametrize("data", [b"", b"#EXTM3U\n", b"x" * 300_000])
async def test_bytes_are_stored_under_their_key(opened, data):
    stored = await opened.store.put_bytes("vods/a.m3u8", data, MEDIA)
    assert stored.size == len(data)
    assert opened.contents() == {"vods/a.m3u8": data}


async def test_an_object_is_told_of_and_compared(opened, media, tmp_path):
    store = opened.store
    assert await store.stat("vods/a") is None
    assert not await store.holds("vods/a", media)
    stored = await store.put_file("vods/a", media, MEDIA)
    assert await store.stat("vods/a") == stored
    assert await store.holds("vods/a", media)
    other = tmp_path / "other"
    other.write_bytes(media.read_bytes()[::-1])
    assert not await store.holds("vods/a", other)
    other.write_bytes(b"shorter")
    assert not await store.holds("vods/a", other)


async def test_an_object_is_fetched_into_a_file(opened, media, tmp_path):
    store, target = opened.store, tmp_path / "fetched"
    assert await store.get_file("uploads/a", target, 1 << 30) is None
    await store.put_file("uploads/a", media, MEDIA)
    for _ in range(2):
        assert await store.get_file("uploads/a", target, 1 << 30) == media.stat().st_size
        assert target.read_bytes() == media.read_bytes()
    await store.put_bytes("uploads/b", b"", MEDIA)
    assert await store.get_file("uploads/b", target, 1 << 30) == 0
    assert target.read_bytes() == b""


async def test_an_object_that_is_too_large_is_not_fetched(opened, media, tmp_path):
    await opened.store.put_file("uploads/a", media, MEDIA)
    with pytest.raises(ObjectStoreRefused, match="more than 10"):
        await opened.store.get_file("uploads/a", tmp_path / "fetched", 10)
    assert not (tmp_path / "fetched").exists()


async def test_storing_again_replaces(opened, media):
    for data in (b"one", b"two"):
        await opened.store.put_bytes("a", data, MEDIA)
    await opened.store.put_file("f", media, MEDIA)
    await opened.store.put_file("f", media, MEDIA)
    assert opened.contents() == {"a": b"two", "f": media.read_bytes()}


async def test_many_at_once(opened, media):
    keys = [f"vods/a/segment-{i}.m4s" for i in range(40)]
    await asyncio.gather(*(opened.store.put_file(key, media, MEDIA) for key in keys))
    assert sorted(opened.contents()) == sorted(keys)


async def test_a_file_that_is_not_there_is_an_error_and_stores_nothing(opened, tmp_path):
    with pytest.raises(ObjectStoreError) as caught:
        await opened.store.put_file("a", tmp_path / "missing", MEDIA)
    assert caught.value.retryable
    assert opened.contents() == {}


async def test_a_store_that_is_in_order_passes_its_check(opened):
    await opened.store.check()
