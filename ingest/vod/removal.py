"""Takes a recording from its store."""

import asyncio

from ingest.ports import ObjectStore
from ingest.vod.object_keys import vod_folder

_AT_ONCE = 8


async def remove_recording(store: ObjectStore, stream_id: str, *, private: bool) -> int:
    """Remove every object of the stream's recording; answers how many there were.

    What names others goes first, so that nobody finds a playlist of what is gone. Raises
    ObjectStoreError: calling again goes on where it stopped.
    """
    folder = vod_folder(stream_id, private=private)
    keys = sorted(await store.keys(folder), key=lambda key: not key.endswith((".m3u8", ".mpd")))
    for start in range(0, len(keys), _AT_ONCE):
        await asyncio.gather(*(store.delete(key) for key in keys[start : start + _AT_ONCE]))
    return len(keys)
