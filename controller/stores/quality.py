"""How playback went, session by session."""

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.quality import PlaybackQuality, PlayerSession
from controller.stores.database import Database
from controller.stores.schema import streams
from controller.stores.statements import insert_into
from controller.stores.watching_schema import playback_sessions

_ROWS_AT_ONCE = 300
_KEY = ("stream_id", "session", "holder")
_P95 = 0.95


class SqlQuality:
    """The `QualityStore` over either database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, holder: str, sessions: Sequence[PlayerSession]) -> None:
        """See `QualityStore.keep`."""
        async with self._database.write() as connection:
            wanted = {session.stream_id for session in sessions}
            found = await connection.execute(select(streams.c.id).where(streams.c.id.in_(wanted)))
            known = set(found.scalars())
            rows = [
                asdict(session) | {"holder": holder}
                for session in sessions
                if session.stream_id in known
            ]
            for at in range(0, len(rows), _ROWS_AT_ONCE):
                statement = insert_into(connection, playback_sessions).values(
                    rows[at : at + _ROWS_AT_ONCE]
                )
                changed = {
                    column.name: statement.excluded[column.name]
                    for column in playback_sessions.columns
                    if column.name not in _KEY
                }
                await connection.execute(
                    statement.on_conflict_do_update(index_elements=[*_KEY], set_=changed)
                )


async def read_quality(connection: AsyncConnection, stream_id: UUID) -> PlaybackQuality:
    """What the stream's sessions add up to, on whatever daemons they were."""
    table = playback_sessions.c
    sessions = (
        select(
            func.min(table.startup_ms).label("startup_ms"),
            func.sum(table.rebuffers).label("rebuffers"),
            func.sum(table.rebuffered_ms).label("rebuffered_ms"),
            func.sum(table.shown_ms).label("shown_ms"),
            func.sum(table.bits).label("bits"),
        )
        .where(table.stream_id == stream_id)
        .group_by(table.session)
        .subquery()
    )
    one = sessions.c
    row = (
        await connection.execute(
            select(
                func.count().label("sessions"),
                func.count(one.startup_ms).label("started"),
                func.avg(one.startup_ms).label("startup_ms"),
                func.sum(one.rebuffers).label("rebuffers"),
                func.sum(case((one.rebuffers > 0, 1), else_=0)).label("rebuffered"),
                func.sum(one.rebuffered_ms).label("rebuffered_ms"),
                func.sum(one.shown_ms).label("shown_ms"),
                func.sum(one.bits).label("bits"),
            ).select_from(sessions)
        )
    ).one()
    slow_ms = None
    if row.started:
        slowest = select(one.startup_ms).where(one.startup_ms.is_not(None)).order_by(one.startup_ms)
        skipped = int(_P95 * (row.started - 1))
        slow_ms = (await connection.execute(slowest.offset(skipped).limit(1))).scalar_one()
    return PlaybackQuality(
        sessions=row.sessions,
        startup_s=_seconds(row.startup_ms),
        startup_p95_s=_seconds(slow_ms),
        rebuffers=int(row.rebuffers or 0),
        rebuffered_sessions=int(row.rebuffered or 0),
        rebuffered_s=_seconds(row.rebuffered_ms),
        bitrate_kbps=round(int(row.bits) / int(row.shown_ms), 1) if row.shown_ms else None,
    )


def _seconds(ms: float | None) -> float | None:
    """PostgreSQL's sums and averages are decimals."""
    return None if ms is None else round(float(ms) / 1000, 3)
