"""Libraries that may be exchanged or crash are imported in the few files that wrap them."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WRAPPERS = {
    "aiosqlite": {"controller/stores/database.py"},
    "alembic": {"controller/stores/migration.py", "controller/stores/migrations"},
    "asyncpg": {"controller/stores/driver_errors.py"},
    "aiortc": {"ingest/webrtc/peer.py", "ingest/webrtc/publisher_peer.py"},
    "av": {
        "controller/dev/test_picture.py",
        "ingest/derive/jpeg.py",
        "ingest/derive/keyframes.py",
        "ingest/derive/reencode.py",
        "ingest/source/pull.py",
        "ingest/transcode",
        "ingest/webrtc/opus.py",
        "ingest/webrtc/publisher_codecs.py",
    },
    "boto3": {"ingest/vod/s3_store.py"},
    "huey": {"controller/jobs/huey_queue.py"},
    "jwt": {"controller/auth", "controller/notify/fcm.py", "controller/notify/vapid.py"},
    "psutil": {"controller/checking/processes.py", "controller/dev/prerequisites.py"},
    "pywebpush": {"controller/notify/web_push.py"},
    "redis": {
        "controller/hub/realtime_redis.py",
        "controller/hub/redis_inspection.py",
        "controller/jobs/huey_queue.py",
    },
    "sqlalchemy": {"controller/stores"},
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    files = [
        path for package in ("controller", "ingest") for path in (ROOT / package).rglob("*.py")
    ]
    return {str(path.relative_to(ROOT)): imported(path) for path in files}


@pytest.mark.parametrize("library", WRAPPERS)
def test_a_wrapped_library_is_imported_by_its_wrappers_alone(imports, library):
    wrappers = tuple(WRAPPERS[library])
    found = {path for path, names in imports.items() if library in names}

    assert {path for path in found if not path.startswith(wrappers)} == set()
