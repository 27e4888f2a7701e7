"""The media plane: encoder's packets in, CMAF for HLS, LL-HLS and DASH out, and a recording.

This module is its public face, beside `ingest.s3`; nothing outside imports deeper. `ingest` never
imports `controller`, reads no environment and knows no database of the controller's.
"""

from ingest.clock import Clock, SystemClock
from ingest.delivery.app import Delivery, create_delivery
from ingest.delivery.vod_app import VodDelivery, create_vod_delivery
from ingest.errors import IngestError, ObjectStoreError, ObjectStoreRefused, OverBudget
from ingest.ports import ObjectStore, PlaybackAuthorizer, PublicationProbe
from ingest.session.admission import Admission, SessionBudget, SessionKind
from ingest.session.health import LATENESS_BOUNDS_S
from ingest.session.session import SessionSpec
from ingest.session.state import SessionState
from ingest.session.supervisor import SessionSupervisor
from ingest.settings import Keep, PackagingSettings, RecordingPlan, Thrift
from ingest.vod.local_store import LocalObjectStore
from ingest.vod.publisher import Vod
from ingest.vod.split_store import SplitStore
from ingest.vod.upload_ledger import UploadLedger
from ingest.vod.uploader import Uploader

__all__ = [
    "LATENESS_BOUNDS_S",
    "Admission",
    "Clock",
    "Delivery",
    "IngestError",
    "Keep",
    "LocalObjectStore",
    "ObjectStore",
    "ObjectStoreError",
    "ObjectStoreRefused",
    "OverBudget",
    "PackagingSettings",
    "PlaybackAuthorizer",
    "PublicationProbe",
    "RecordingPlan",
    "SessionBudget",
    "SessionKind",
    "SessionSpec",
    "SessionState",
    "SessionSupervisor",
    "SplitStore",
    "SystemClock",
    "Thrift",
    "UploadLedger",
    "Uploader",
    "Vod",
    "VodDelivery",
    "create_delivery",
    "create_vod_delivery",
]
