"""The media plane: encoder's packets in, CMAF for HLS, LL-HLS and DASH out, and a recording.

This module is its public face, beside `ingest.s3` and `ingest.derivatives`; nothing outside
imports deeper. `ingest` never imports `controller`, reads no environment and knows no database of
the controller's.

Names are imported when they are asked for: a packager, which needs few of them, starts in a quarter
of the time and with half of the memory.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.clock import Clock, SystemClock
    from ingest.cues import TAG_SHOWN_S, Cue, CueKind, Point
    from ingest.delivery.app import Delivery, create_delivery
    from ingest.delivery.vod_app import VodDelivery, create_vod_delivery
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
    from ingest.ports import (
        ObjectKind,
        ObjectStore,
        PlaybackAuthorizer,
        PlayerRequest,
        PublicationProbe,
        ViewingSessions,
    )
    from ingest.session.admission import Admission, SessionBudget, SessionKind
    from ingest.session.health import LATENESS_BOUNDS_S
    from ingest.session.nursery import PackagerNursery
    from ingest.session.session import SessionSpec
    from ingest.session.state import SessionState
    from ingest.session.supervisor import SessionSupervisor
    from ingest.settings import Keep, PackagingSettings, RecordingPlan, Thrift
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
    from ingest.vod.split_store import SplitStore
    from ingest.vod.upload_ledger import UploadLedger
    from ingest.vod.uploader import Uploader
    from ingest.webrtc.errors import WEBRTC_REFUSALS, WebRtcRefused
    from ingest.webrtc.etags import etag_of
    from ingest.webrtc.settings import WebRtcBounds, WebRtcNetwork
    from ingest.webrtc.whep_desk import PeerSession, WhepDesk
    from ingest.webrtc.whip_desk import WhipDesk

__all__ = [
    "DASH_NAME",
    "HLS_NAME",
    "LATENESS_BOUNDS_S",
    "POSTER_NAME",
    "TAG_SHOWN_S",
    "VIDEO_TASK",
    "WEBRTC_REFUSALS",
    "Admission",
    "Clock",
    "Cue",
    "CueKind",
    "Delivery",
    "IngestError",
    "Keep",
    "LocalObjectStore",
    "MadeFile",
    "MediaLimits",
    "MediaRefused",
    "ObjectKind",
    "ObjectStore",
    "ObjectStoreError",
    "ObjectStoreRefused",
    "OverBudget",
    "PackagerNursery",
    "PackagingSettings",
    "PeerSession",
    "PlaybackAuthorizer",
    "PlayerRequest",
    "Point",
    "PublicationProbe",
    "RecordingPlan",
    "SessionBudget",
    "SessionKind",
    "SessionSpec",
    "SessionState",
    "SessionSupervisor",
    "SplitStore",
    "SystemClock",
    "TaskCrashed",
    "TaskLimits",
    "TaskTooExpensive",
    "Thrift",
    "UploadLedger",
    "Uploader",
    "VideoRequest",
    "ViewingSessions",
    "Vod",
    "VodDelivery",
    "WebRtcBounds",
    "WebRtcNetwork",
    "WebRtcRefused",
    "WhepDesk",
    "WhipDesk",
    "create_delivery",
    "create_vod_delivery",
    "die_with_parent",
    "etag_of",
    "made_files",
    "run_task",
]

_HOMES = {
    "DASH_NAME": "ingest.transcode.objects",
    "HLS_NAME": "ingest.transcode.objects",
    "LATENESS_BOUNDS_S": "ingest.session.health",
    "POSTER_NAME": "ingest.transcode.objects",
    "TAG_SHOWN_S": "ingest.cues",
    "VIDEO_TASK": "ingest.transcode.objects",
    "WEBRTC_REFUSALS": "ingest.webrtc.errors",
    "Admission": "ingest.session.admission",
    "Clock": "ingest.clock",
    "Cue": "ingest.cues",
    "CueKind": "ingest.cues",
    "Delivery": "ingest.delivery.app",
    "IngestError": "ingest.errors",
    "Keep": "ingest.settings",
    "LocalObjectStore": "ingest.vod.local_store",
    "MadeFile": "ingest.transcode.objects",
    "MediaLimits": "ingest.transcode.limits",
    "MediaRefused": "ingest.errors",
    "ObjectKind": "ingest.ports",
    "ObjectStore": "ingest.ports",
    "ObjectStoreError": "ingest.errors",
    "ObjectStoreRefused": "ingest.errors",
    "OverBudget": "ingest.errors",
    "PackagerNursery": "ingest.session.nursery",
    "PackagingSettings": "ingest.settings",
    "PeerSession": "ingest.webrtc.whep_desk",
    "PlaybackAuthorizer": "ingest.ports",
    "PlayerRequest": "ingest.ports",
    "Point": "ingest.cues",
    "PublicationProbe": "ingest.ports",
    "RecordingPlan": "ingest.settings",
    "SessionBudget": "ingest.session.admission",
    "SessionKind": "ingest.session.admission",
    "SessionSpec": "ingest.session.session",
    "SessionState": "ingest.session.state",
    "SessionSupervisor": "ingest.session.supervisor",
    "SplitStore": "ingest.vod.split_store",
    "SystemClock": "ingest.clock",
    "TaskCrashed": "ingest.errors",
    "TaskLimits": "ingest.tasks.process",
    "TaskTooExpensive": "ingest.errors",
    "Thrift": "ingest.settings",
    "UploadLedger": "ingest.vod.upload_ledger",
    "Uploader": "ingest.vod.uploader",
    "VideoRequest": "ingest.transcode.objects",
    "Vod": "ingest.vod.publisher",
    "ViewingSessions": "ingest.ports",
    "VodDelivery": "ingest.delivery.vod_app",
    "WebRtcBounds": "ingest.webrtc.settings",
    "WebRtcNetwork": "ingest.webrtc.settings",
    "WebRtcRefused": "ingest.webrtc.errors",
    "WhepDesk": "ingest.webrtc.whep_desk",
    "WhipDesk": "ingest.webrtc.whip_desk",
    "create_delivery": "ingest.delivery.app",
    "create_vod_delivery": "ingest.delivery.vod_app",
    "die_with_parent": "ingest.parent_death",
    "etag_of": "ingest.webrtc.etags",
    "made_files": "ingest.transcode.objects",
    "run_task": "ingest.tasks.process",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Import a public name's module (PEP 562)."""
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(home), name)
        return value
