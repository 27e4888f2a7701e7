"""The media plane: nginx's control, sessions, recordings, the life of streams."""

import math
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import UUID

from prometheus_client import CollectorRegistry

from controller.composition.objects import build_private_reader, build_uploader
from controller.composition.webrtc_settings import webrtc_bounds, webrtc_network
from controller.domain.ports import Clock
from controller.domain.recordings import RetentionRules
from controller.publishing.background import BackgroundTasks
from controller.publishing.cues import CueKeeper
from controller.publishing.encoders import Encoders
from controller.publishing.lifecycle import StreamLifecycle
from controller.publishing.media_metrics import MediaMetrics
from controller.publishing.nginx_rtmp import NginxRtmp
from controller.publishing.recordings import Recordings, VodAddresses
from controller.publishing.retention import Retention
from controller.publishing.served import EncoderAnnouncer
from controller.publishing.space import SpaceGuard
from controller.publishing.storage_metrics import StorageMetrics
from controller.publishing.visits import Visits
from controller.settings import Settings
from controller.stores.opening import Stores
from ingest import (
    Admission,
    ObjectStore,
    PackagerNursery,
    PackagingSettings,
    SessionBudget,
    SessionSupervisor,
    WhipDesk,
)
from ingest.s3 import S3ObjectStore

_BUDGET_PER_CORE = 60.0
"""Above the 50 passthrough sessions of 6 Mbit/s a core that golive is to carry."""


@dataclass(frozen=True, slots=True)
class MediaPlane:
    """What the other parts need of it."""

    supervisor: SessionSupervisor
    nginx: NginxRtmp
    space: SpaceGuard
    private_vods: S3ObjectStore | None
    whip: WhipDesk
    encoders: Encoders


@dataclass(frozen=True, slots=True)
class Publishing:
    """What becomes of streams and of their recordings."""

    lifecycle: StreamLifecycle
    recordings: Recordings
    rules: RetentionRules


def build_media_plane(
    settings: Settings,
    objects: ObjectStore,
    nginx_control: str,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
    nursery: PackagerNursery | None = None,
) -> MediaPlane:
    """Sessions over nginx-rtmp and the object store; `stack` closes them."""
    data = settings.data_dir.absolute()
    nginx = NginxRtmp(nginx_control)
    stack.push_async_callback(nginx.close)
    whip = WhipDesk(webrtc_network(settings), webrtc_bounds(settings))
    stack.push_async_callback(whip.close)
    encoders = Encoders(nginx, whip)
    uploader = build_uploader(settings, objects, stack)
    supervisor = SessionSupervisor(
        data / "live",
        uploader,
        encoders,
        PackagingSettings(settings.part_target_s, settings.segment_target_s),
        settings.dvr_window_s or math.inf,
        Admission(budget_of(settings)),
        nursery,
    )
    stack.push_async_callback(supervisor.close)
    MediaMetrics(supervisor, registry)
    space = SpaceGuard(_watched(settings), settings.space_steps_pct, economize=supervisor.economize)
    StorageMetrics(uploader, space, registry)
    private_vods = build_private_reader(settings, stack)
    return MediaPlane(supervisor, nginx, space, private_vods, whip, encoders)


def _watched(settings: Settings) -> dict[str, Path]:
    """The folders whose volumes must not fill."""
    folders = {"data": settings.data_dir.absolute()}
    if settings.store_url.startswith("file://"):
        folders["store"] = Path(unquote(urlsplit(settings.store_url).path))
    if settings.spool:
        folders["spool"] = settings.spool_folder
    return folders


def budget_of(settings: Settings) -> SessionBudget:
    """What encoders cost, and may cost together."""
    cores = len(os.sched_getaffinity(0))
    return SessionBudget(
        total=settings.session_budget or _BUDGET_PER_CORE * cores,
        passthrough=settings.session_cost_passthrough,
        pull=settings.session_cost_pull,
    )


def build_lifecycle(
    settings: Settings,
    stores: Stores,
    media: MediaPlane,
    announcer: EncoderAnnouncer,
    visits: Visits,
    clock: Clock,
    on_finished: Callable[[UUID, bool], None],
    cues: CueKeeper,
    stack: AsyncExitStack,
) -> Publishing:
    """What becomes of streams, from the first encoder to the VOD; `stack` closes it.

    on_finished: called when a stream's media are, with whether there is a recording.
    """
    rules = RetentionRules(
        settings.recordings_keep_days,
        int(settings.recordings_max_gb * 1e9),
        settings.unrecorded_save_h,
    )
    recordings = Recordings(
        stores.streams,
        stores.recordings,
        media.supervisor,
        media.space,
        rules,
        VodAddresses(settings.vod_base, settings.private_vod_base),
        clock,
        on_finished,
        cues.cues_of,
    )
    stack.push_async_callback(recordings.close)
    retention = Retention(stores.streams, stores.recordings, recordings, rules, clock)
    media.space.on_short(retention.prune)
    background = BackgroundTasks()
    stack.push_async_callback(background.close)
    background.start(media.space.run(), "space")
    background.start(retention.run(), "retention")
    background.start(cues.run(), "cues")
    lifecycle = StreamLifecycle(
        stores.streams,
        stores.publications,
        announcer,
        media.encoders,
        media.supervisor,
        recordings,
        visits,
        clock,
        pull_url=settings.rtmp_pull_url,
        spool_dir=settings.spool_folder if settings.spool else None,
        grace_s=settings.reconnect_grace_s,
    )
    stack.push_async_callback(lifecycle.close)
    return Publishing(lifecycle, recordings, rules)
