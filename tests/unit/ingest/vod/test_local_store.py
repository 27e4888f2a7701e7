"""Objects in a local folder: whole or not there, never outside of it."""

import asyncio
import os

import pytest

from ingest.errors import ObjectStoreError
from ingest.ports import ObjectKind, StoredObject
from ingest.vod.local_store import LocalObjectStore

KIND = ObjectKind("video/mp4", "public, max-age=31536000, immutable")


async def test_bytes_are_stored_under_their_key(tmp_path):
    store = LocalObjectStore(tmp_path)
    await store.put_bytes("vods/a/index.m3u8", b"#EXTM3U", KIND)
    assert (tmp_path / "vods/a/index.m3u8").read_bytes() == b"#EXTM3U"
    assert await store.stat("vods/a/index.m3u8") == StoredObject(7, "")


async def test_what_is_not_there_is_not_told_of(tmp_path):
    assert await LocalObjectStore(tmp_path).stat("nothing") is None


async def test_a_file_on_the_same_file_system_is_linked(tmp_path):
    source = tmp_path / "segment-0.m4s"
    source.write_bytes(b"media")
    store = LocalObjectStore(tmp_path / "objects")
    await store.put_file("vods/a/segment-0.m4s", source, KIND)
    stored = tmp_path / "objects/vods/a/segment-0.m4s"
    assert stored.samefile(source)
    source.unlink()  # the live window lets go of it
    assert stored.read_bytes() == b"media"


async def test_a_file_elsewhere_is_copied(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = tmp_path / "segment-0.m4s"
    source.write_bytes(b"media")
    await LocalObjectStore(tmp_path / "objects").put_file("a", source, KIND)
    stored = tmp_path / "objects/a"
    assert stored.read_bytes() == b"media"
    assert not stored.samefile(source)


@pytest.mark.parametrize("times", [2, 3])
async def test_storing_again_replaces_the_object(tmp_path, times):
    store = LocalObjectStore(tmp_path / "objects")
    source = tmp_path / "file"
    for i in range(times):
        await store.put_bytes("b", f"version {i}".encode(), KIND)
        source.write_bytes(b"same")
        await store.put_file("f", source, KIND)
    assert (tmp_path / "objects/b").read_bytes() == f"version {times - 1}".encode()
    assert sorted(p.name for p in (tmp_path / "objects").iterdir()) == ["b", "f"]


async def test_a_file_that_is_not_there_is_an_error_and_leaves_nothing(tmp_path):
    store = LocalObjectStore(tmp_path / "objects")
    with pytest.raises(ObjectStoreError, match="segment-0"):
        await store.put_file("segment-0", tmp_path / "missing", KIND)
    assert list((tmp_path / "objects").iterdir()) == []


async def test_a_place_that_cannot_be_written_is_an_error_that_can_be_retried(tmp_path):
    (tmp_path / "taken").write_bytes(b"a file where a folder should be")
    with pytest.raises(ObjectStoreError) as caught:
        await LocalObjectStore(tmp_path).put_bytes("taken/object", b"x", KIND)
    assert caught.value.retryable
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/passwd"])
async def test_no_key_leaves_the_store(tmp_path, key):
    store = LocalObjectStore(tmp_path / "objects")
    with pytest.raises(ObjectStoreError, match="leaves the store"):
        await store.put_bytes(key, b"x", KIND)
    with pytest.raises(ObjectStoreError, match="leaves the store"):
        await store.stat(key)
    assert not (tmp_path / "outside").exists()


async def test_objects_of_one_folder_are_removed_at_the_same_time(tmp_path):
    store = LocalObjectStore(tmp_path)
    for attempt in range(100):
        keys = [f"vods/{attempt}/{kind}/segment-{n}.m4s" for kind in "av" for n in range(3)]
        for key in keys:
            await store.put_bytes(key, b"media", KIND)
        await asyncio.gather(*(store.delete(key) for key in keys))
    assert [*(tmp_path / "vods").iterdir()] == []
