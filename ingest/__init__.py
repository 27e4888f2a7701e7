"""The media plane: encoder's packets in, CMAF for HLS, LL-HLS and DASH out, and a recording.

This module is its public face, beside `ingest.s3`; nothing outside imports deeper. `ingest` never
imports `controller`, reads no environment and knows no database of the controller's.

Names are imported when they are asked for: a packager, which needs few of them, starts in a quarter
of the time and with half of the memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.clock import Clock, SystemClock
    from ingest.delivery.app import Delivery, create_delivery
    from ingest.errors import IngestError, ObjectStoreError, ObjectStoreRefused, OverBudget
    from ingest.ports import ObjectStore, PlaybackAuthorizer, PublicationProbe
    from ingest.session.admission import Admission, SessionBudget, SessionKind
    from ingest.session.health import LATENESS_BOUNDS_S
    from ingest.session.session import SessionSpec
    from ingest.session.state import SessionState
    from ingest.session.supervisor import SessionSupervisor
    from ingest.settings import PackagingSettings
    from ingest.vod.local_store import LocalObjectStore
    from ingest.vod.publisher import Vod
    from ingest.vod.upload_ledger import UploadLedger
    from ingest.vod.uploader import Uploader

__all__ = [
    "LATENESS_BOUNDS_S",
    "Admission",
    "Clock",
    "Delivery",
    "IngestError",
    "LocalObjectStore",
    "ObjectStore",
    "ObjectStoreError",
    "ObjectStoreRefused",
    "OverBudget",
    "PackagingSettings",
    "PlaybackAuthorizer",
    "PublicationProbe",
    "SessionBudget",
    "SessionKind",
    "SessionSpec",
    "SessionState",
    "SessionSupervisor",
    "SystemClock",
    "UploadLedger",
    "Uploader",
    "Vod",
    "create_delivery",
]

_HOMES = {
    "LATENESS_BOUNDS_S": "ingest.session.health",
    "Admission": "ingest.session.admission",
    "Clock": "ingest.clock",
    "Delivery": "ingest.delivery.app",
    "IngestError": "ingest.errors",
    "LocalObjectStore": "ingest.vod.local_store",
    "ObjectStore": "ingest.ports",
    "ObjectStoreError": "ingest.errors",
    "ObjectStoreRefused": "ingest.errors",
    "OverBudget": "ingest.errors",
    "PackagingSettings": "ingest.settings",
    "PlaybackAuthorizer": "ingest.ports",
    "PublicationProbe": "ingest.ports",
    "SessionBudget": "ingest.session.admission",
    "SessionKind": "ingest.session.admission",
    "SessionSpec": "ingest.session.session",
    "SessionState": "ingest.session.state",
    "SessionSupervisor": "ingest.session.supervisor",
    "SystemClock": "ingest.clock",
    "UploadLedger": "ingest.vod.upload_ledger",
    "Uploader": "ingest.vod.uploader",
    "Vod": "ingest.vod.publisher",
    "create_delivery": "ingest.delivery.app",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name's module (PEP 562)."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(home), name)
        return value
