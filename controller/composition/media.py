"""The media plane: nginx's control, sessions, recordings, the life of streams."""

import math
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

from prometheus_client import CollectorRegistry

from controller.composition.objects import build_uploader
from controller.domain.ports import Clock
from controller.publishing.lifecycle import EncoderAnnouncer, StreamLifecycle
from controller.publishing.media_metrics import MediaMetrics
from controller.publishing.nginx_rtmp import NginxRtmp
from controller.publishing.recordings import Recordings
from controller.publishing.visits import Visits
from controller.settings import Settings
from controller.stores.opening import Stores
from ingest import Admission, ObjectStore, PackagingSettings, SessionBudget, SessionSupervisor

_BUDGET_PER_CORE = 60.0
"""Two thirds of what a core was measured to carry in passthrough sessions of 6 Mbit/s."""


@dataclass(frozen=True, slots=True)
class MediaPlane:
    """What the other parts need of it."""

    supervisor: SessionSupervisor
    nginx: NginxRtmp


def build_media_plane(
    settings: Settings,
    objects: ObjectStore,
    nginx_control: str,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> MediaPlane:
    """Sessions over nginx-rtmp and the object store; `stack` closes them."""
    data = settings.data_dir.absolute()
    nginx = NginxRtmp(nginx_control)
    stack.push_async_callback(nginx.close)
    supervisor = SessionSupervisor(
        data / "live",
        build_uploader(settings, objects, stack),
        nginx,
        PackagingSettings(settings.part_target_s, settings.segment_target_s),
        settings.dvr_window_s or math.inf,
        Admission(_budget(settings)),
    )
    stack.push_async_callback(supervisor.close)
    MediaMetrics(supervisor, registry)
    return MediaPlane(supervisor, nginx)


def _budget(settings: Settings) -> SessionBudget:
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
    stack: AsyncExitStack,
) -> StreamLifecycle:
    """What becomes of streams, from the first encoder to the VOD; `stack` closes it.

    on_finished: called when a stream's media are, with whether there is a recording.
    """
    recordings = Recordings(stores.streams, media.supervisor, settings.vod_base, on_finished)
    stack.push_async_callback(recordings.close)
    lifecycle = StreamLifecycle(
        stores.streams,
        stores.publications,
        announcer,
        media.nginx,
        media.supervisor,
        recordings,
        visits,
        clock,
        pull_url=settings.rtmp_pull_url,
        spool_dir=settings.data_dir.absolute() / "spool" if settings.spool else None,
        grace_s=settings.reconnect_grace_s,
    )
    stack.push_async_callback(lifecycle.close)
    return lifecycle
