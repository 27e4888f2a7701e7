"""Two stores as one: what not everybody may play is kept apart."""

from collections.abc import Sequence
from pathlib import Path

from ingest.ports import ObjectKind, ObjectStore, StoredObject
from ingest.vod.object_keys import PRIVATE, kind_of


class SplitStore:
    """Keys with `private/` in front go to `private`, without it, and out of reach of shared caches;
    all others to `public`."""

    def __init__(self, public: ObjectStore, private: ObjectStore) -> None:
        self._public = public
        self._private = private

    @property
    def public(self) -> ObjectStore:
        """The one for everybody."""
        return self._public

    async def put_file(self, key: str, path: Path, kind: ObjectKind) -> StoredObject:
        """See ObjectStore."""
        store, name = self._place(key)
        return await store.put_file(name, path, kind_of(kind, key))

    async def put_bytes(self, key: str, data: bytes, kind: ObjectKind) -> StoredObject:
        """See ObjectStore."""
        store, name = self._place(key)
        return await store.put_bytes(name, data, kind_of(kind, key))

    async def get_file(self, key: str, path: Path, most_bytes: int) -> int | None:
        """See ObjectStore."""
        store, name = self._place(key)
        return await store.get_file(name, path, most_bytes)

    async def stat(self, key: str) -> StoredObject | None:
        """See ObjectStore."""
        store, name = self._place(key)
        return await store.stat(name)

    async def holds(self, key: str, path: Path) -> bool:
        """See ObjectStore."""
        store, name = self._place(key)
        return await store.holds(name, path)

    async def keys(self, prefix: str) -> Sequence[str]:
        """See ObjectStore; the prefix says which of the two is asked."""
        store, name = self._place(prefix)
        cut = prefix[: len(prefix) - len(name)]
        return [f"{cut}{key}" for key in await store.keys(name)]

    async def delete(self, key: str) -> None:
        """See ObjectStore."""
        store, name = self._place(key)
        await store.delete(name)

    async def check(self) -> None:
        """Raise unless both can be used."""
        await self._public.check()
        await self._private.check()

    def _place(self, key: str) -> tuple[ObjectStore, str]:
        if key.startswith(PRIVATE):
            return self._private, key.removeprefix(PRIVATE)
        return self._public, key
