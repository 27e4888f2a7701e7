"""Peak, watch time and viewers over time, computed from the stays of viewers.

A stay lasts until its daemon has seen it end, else until that daemon was last heard of. Stays of
one viewer, in whatever tabs and on whatever daemons, count each moment once. A viewer whose stay
nobody has seen end, and who is back within `BRIDGED_MS`, was there all the time: it was a daemon
that was away.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, and_, case, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.analytics import ViewerSample, WatchFigures
from controller.domain.room import RoomFigures
from controller.stores.statements import insert_into
from controller.stores.watching_schema import room_batches, span_holders, viewer_spans

BRIDGED_MS = 30_000
MOST_POINTS = 240
"""Of a timeline, whatever it spans."""

_STEPS_S = (5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 14_400)
_ROWS_AT_ONCE = 500
_FOREVER_MS = 2**62


def milliseconds(at: datetime) -> int:
    """Since 1970, as the tables have times."""
    return round(at.timestamp() * 1000)


async def is_news(connection: AsyncConnection, stream_id: UUID, holder: str, number: int) -> bool:
    """Whether the holder's addition has not been made before; from now on it has."""
    statement = insert_into(connection, room_batches).values(
        stream_id=stream_id, holder=holder, number=number
    )
    noted = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["stream_id", "holder"],
            set_={"number": number},
            where=room_batches.c.number < number,
        ).returning(room_batches.c.number)
    )
    return noted.one_or_none() is not None


async def note_alive(connection: AsyncConnection, holder: str, at: datetime) -> None:
    """The holder lives at `at`."""
    seen_ms = milliseconds(at)
    statement = insert_into(connection, span_holders).values(holder=holder, seen_ms=seen_ms)
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["holder"],
            set_={"seen_ms": seen_ms},
            where=span_holders.c.seen_ms < seen_ms,
        )
    )


async def add_stays(connection: AsyncConnection, stream_id: UUID, figures: RoomFigures) -> None:
    """Begin the stays of those who came, end those of who went."""
    begun = [
        _row(stream_id, figures.holder, visit.number, visit.viewer, visit.joined_at, None)
        for visit in figures.visits
    ]
    ended = [
        _row(stream_id, figures.holder, gone.number, gone.viewer, gone.joined_at, gone.left_at)
        for gone in figures.leavings
        if not gone.is_cut
    ]
    for some in _chunks(begun):
        statement = insert_into(connection, viewer_spans).values(some)
        await connection.execute(statement.on_conflict_do_nothing())
    for some in _chunks(ended):
        statement = insert_into(connection, viewer_spans).values(some)
        await connection.execute(
            statement.on_conflict_do_update(
                index_elements=["stream_id", "holder", "number"],
                set_={"until_ms": statement.excluded.until_ms},
            )
        )


async def read_watched(
    connection: AsyncConnection,
    stream_id: UUID,
    started_at: datetime,
    ended_at: datetime | None,
) -> WatchFigures | None:
    """What the stays add up to while the stream was live; None without any."""
    ended_ms = None if ended_at is None else milliseconds(ended_at)
    pieces = _pieces(stream_id, milliseconds(started_at), ended_ms)
    watched = select(func.count(), func.sum(pieces.c.until - pieces.c.since)).select_from(pieces)
    changes = _changes(pieces)
    at_once = select(
        func.sum(changes.c.change).over(order_by=changes.c.at).label("viewers")
    ).subquery()
    stays, total_ms = (await connection.execute(watched)).one()
    if not stays:
        return None
    peak = (await connection.execute(select(func.max(at_once.c.viewers)))).scalar_one()
    return WatchFigures(peak_viewers=int(peak), watched_s=int(total_ms) / 1000)


async def read_timeline(
    connection: AsyncConnection, stream_id: UUID, started_at: datetime, until: datetime
) -> Sequence[ViewerSample]:
    """Viewers at evenly spaced moments, at most `MOST_POINTS`, from the start on."""
    started_ms = milliseconds(started_at)
    step_ms = _step_ms(milliseconds(until) - started_ms)
    changes = _changes(_pieces(stream_id, started_ms, milliseconds(until)))
    point = ((changes.c.at - started_ms + step_ms - 1) // step_ms).label("point")
    query = select(point, func.sum(changes.c.change)).group_by(point)
    by_point = {int(row[0]): int(row[1]) for row in await connection.execute(query)}
    if not by_point:
        return []
    samples, viewers = [], 0
    for number in range((milliseconds(until) - started_ms) // step_ms + 1):
        viewers += by_point.get(number, 0)
        at = started_at + timedelta(milliseconds=number * step_ms)
        samples.append(ViewerSample(at.astimezone(UTC), viewers))
    return samples


def _step_ms(lasted_ms: int) -> int:
    for step_s in _STEPS_S:
        if lasted_ms // (step_s * 1000) < MOST_POINTS:
            return step_s * 1000
    return -(-lasted_ms // (MOST_POINTS - 1))


def _pieces(stream_id: UUID, started_ms: int, ended_ms: int | None) -> CTE:
    """Disjoint intervals of each viewer, (since, until), that together are all of its stays."""
    spans = viewer_spans
    last_seen = func.coalesce(span_holders.c.seen_ms, spans.c.since_ms)
    stays = (
        select(
            spans.c.viewer,
            spans.c.since_ms.label("since"),
            case(
                (spans.c.until_ms.is_not(None), spans.c.until_ms),
                (last_seen > spans.c.since_ms, last_seen),
                else_=spans.c.since_ms,
            ).label("until"),
            spans.c.until_ms.is_(None).label("is_open"),
            spans.c.holder,
            spans.c.number,
        )
        .select_from(
            spans.outerjoin(
                span_holders,
                and_(span_holders.c.holder == spans.c.holder, spans.c.until_ms.is_(None)),
            )
        )
        .where(spans.c.stream_id == stream_id)
        .cte("stays")
    )
    earlier: dict[str, Any] = {
        "partition_by": stays.c.viewer,
        "order_by": (stays.c.since, stays.c.holder, stays.c.number),
        "rows": (None, -1),
    }
    open_until = case((stays.c.is_open, stays.c.until))
    in_order = select(
        stays.c.since,
        stays.c.until,
        func.max(stays.c.until).over(**earlier).label("covered"),
        func.max(open_until).over(**earlier).label("open_until"),
    ).cte("in_order")
    covered = in_order.c.covered
    is_bridged = and_(in_order.c.open_until == covered, in_order.c.since - covered <= BRIDGED_MS)
    since = case(
        (covered.is_(None), in_order.c.since),
        (or_(covered >= in_order.c.since, is_bridged), covered),
        else_=in_order.c.since,
    )
    ended = _FOREVER_MS if ended_ms is None else ended_ms
    pieces = select(
        case((since < started_ms, started_ms), else_=since).label("since"),
        case((in_order.c.until > ended, ended), else_=in_order.c.until).label("until"),
    ).subquery("clipped")
    return select(pieces).where(pieces.c.until > pieces.c.since).cte("pieces")


def _changes(pieces: CTE) -> Any:
    """By how much the number of viewers changes at which moments."""
    one: ColumnElement[int] = func.count()
    moments = union_all(
        select(pieces.c.since.label("at"), one.label("change")).group_by(pieces.c.since),
        select(pieces.c.until.label("at"), (-one).label("change")).group_by(pieces.c.until),
    ).subquery("moments")
    return (
        select(moments.c.at, func.sum(moments.c.change).label("change"))
        .group_by(moments.c.at)
        .subquery("changes")
    )


def _row(
    stream_id: UUID, holder: str, number: int, viewer: str, since: datetime, until: datetime | None
) -> dict[str, Any]:
    return {
        "stream_id": stream_id,
        "holder": holder,
        "number": number,
        "viewer": viewer,
        "since_ms": milliseconds(since),
        "until_ms": None if until is None else max(milliseconds(since), milliseconds(until)),
    }


def _chunks(items: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (items[at : at + _ROWS_AT_ONCE] for at in range(0, len(items), _ROWS_AT_ONCE))
