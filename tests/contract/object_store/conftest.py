"""Each kind of object store, over real servers; one suite for all."""

from contextlib import asynccontextmanager

import pytest

from ingest.vod.local_store import LocalObjectStore
from ingest.vod.s3_store import S3ObjectStore, s3_client
from tests.support.b2_proxy import B2Proxy
from tests.support.s3 import S3Server, missing_programs


@pytest.fixture(scope="package")
def s3_server():
    """One for all tests; each takes a bucket of its own."""
    if missing_programs():
        pytest.skip(f"not installed: {', '.join(missing_programs())}")
    server = S3Server()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def b2(s3_server):
    proxy = B2Proxy(s3_server.endpoint)
    proxy.start()
    yield proxy
    proxy.close()


@asynccontextmanager
async def s3_store(settings):
    store = S3ObjectStore(settings, s3_client(settings))
    try:
        yield store
    finally:
        await store.close()


class OpenedStore:
    """A store, and a way around it to look at what is really there."""

    def __init__(self, store, contents):
        self.store = store
        self.contents = contents


def local_contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.fixture(params=["local", "s3", "b2"])
async def opened(request, tmp_path):
    """The store under test."""
    if request.param == "local":
        root = tmp_path / "objects"
        yield OpenedStore(LocalObjectStore(root), lambda: local_contents(root))
        return
    server = request.getfixturevalue("s3_server")
    bucket = server.bucket()
    changes = {}
    if request.param == "b2":
        changes = {"endpoint": request.getfixturevalue("b2").endpoint, "prefix": "shop/live"}
    settings = server.settings(bucket, **changes)

    def contents():
        prefix = f"{settings.prefix}/" if settings.prefix else ""
        return {key.removeprefix(prefix): data for key, data in server.contents(bucket).items()}

    async with s3_store(settings) as store:
        yield OpenedStore(store, contents)
