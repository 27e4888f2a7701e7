"""The media plane: encoder's packets in, CMAF for HLS, LL-HLS and DASH out, and a recording.

This module is its public face, beside `ingest.s3` and `ingest.derivatives`; nothing outside
imports deeper. `ingest` never imports `controller`, reads no environment and knows no database of
the controller's.
"""

from ingest.clock import Clock, SystemClock
from ingest.delivery.app import Delivery, create_delivery
from ingest.errors import (
    IngestError,
    MediaRefused,
    ObjectStoreError,
    ObjectStoreRefused,
    OverBudget,
    TaskCrashed,
    TaskTooExpensive,
)
from ingest.parent_death import die_with_parent
from ingest.ports import ObjectKind, ObjectStore, PlaybackAuthorizer, PublicationProbe
from ingest.session.admission import Admission, SessionBudget, SessionKind
from ingest.session.health import LATENESS_BOUNDS_S
from ingest.session.session import SessionSpec
from ingest.session.state import SessionState
from ingest.session.supervisor import SessionSupervisor
from ingest.settings import PackagingSettings
from ingest.tasks.process import TaskLimits, run_task
from ingest.transcode.limits import MediaLimits
from ingest.transcode.objects import (
    DASH_NAME,
    HLS_NAME,
    POSTER_NAME,
    VIDEO_TASK,
    MadeFile,
    VideoRequest,
    made_files,
)
from ingest.vod.local_store import LocalObjectStore
from ingest.vod.publisher import Vod
from ingest.vod.upload_ledger import UploadLedger
from ingest.vod.uploader import Uploader

__all__ = [
    "DASH_NAME",
    "HLS_NAME",
    "LATENESS_BOUNDS_S",
    "POSTER_NAME",
    "VIDEO_TASK",
    "Admission",
    "Clock",
    "Delivery",
    "IngestError",
    "LocalObjectStore",
    "MadeFile",
    "MediaLimits",
    "MediaRefused",
    "ObjectKind",
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
    "TaskCrashed",
    "TaskLimits",
    "TaskTooExpensive",
    "UploadLedger",
    "Uploader",
    "VideoRequest",
    "Vod",
    "create_delivery",
    "die_with_parent",
    "made_files",
    "run_task",
]
