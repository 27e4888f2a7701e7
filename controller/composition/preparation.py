"""What `stream_prepare` asks of the daemon."""

import time
from statistics import median
from uuid import UUID

from controller.composition.media import MediaPlane
from controller.domain.room import Need
from controller.hub.preparation import Check, CheckedPreparation, RecentAnswer
from controller.settings import Settings
from controller.stores.opening import Stores
from ingest import ObjectStore, SessionKind


def build_preparation(
    settings: Settings, stores: Stores, media: MediaPlane, objects: ObjectStore
) -> CheckedPreparation:
    """A check for each need; the store costs money and time to ask, so it is asked seldom."""
    supervisor, space = media.supervisor, media.space
    kind = SessionKind.PASSTHROUGH if settings.spool else SessionKind.PULL

    async def nginx_answers(_stream_id: UUID) -> bool:
        await media.nginx.names()
        return True

    async def database_answers(_stream_id: UUID) -> bool:
        await stores.database.check()
        return True

    async def slot_is_free(stream_id: UUID) -> bool:
        return supervisor.admission.has_room(kind, instead_of=str(stream_id))

    async def may_publish(stream_id: UUID) -> bool:
        return supervisor.is_open(str(stream_id)) or space.may_publish

    async def may_record(stream_id: UUID) -> bool:
        return supervisor.is_open(str(stream_id)) or space.may_record

    checks: dict[Need, Check] = {
        Need.RTMP: nginx_answers,
        Need.DATABASE: database_answers,
        Need.SLOT: slot_is_free,
        Need.STORE: RecentAnswer(objects.check, time.monotonic),
        Need.SPACE: may_publish,
        Need.RECORDING_SPACE: may_record,
    }
    return CheckedPreparation(checks, lambda stream_id: _latency_s(media, str(stream_id)))


def _latency_s(media: MediaPlane, stream_id: str) -> float | None:
    """The stream's own, else the median of those on air: what a new one may expect here."""
    windows = media.supervisor.window
    own = windows(stream_id)
    now_s = time.time()
    measured = own.latency_s(now_s) if own else None
    if measured is not None:
        return measured
    on_air = [windows(session.spec.stream_id) for session in media.supervisor.sessions()]
    found = [window.latency_s(now_s) for window in on_air if window is not None]
    known = [latency_s for latency_s in found if latency_s is not None]
    return median(known) if known else None
