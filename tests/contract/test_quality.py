"""How playback went, on both databases."""

from dataclasses import replace
from uuid import uuid4

from controller.domain.quality import PlaybackQuality, PlayerSession
from controller.stores.quality import SqlQuality


async def test_sessions_add_up_on_whatever_daemons_they_were(world):
    store, stream_id = SqlQuality(world.stores.database), await world.live(await world.user())

    async def quality() -> PlaybackQuality:
        return (await world.stores.engagement.figures(stream_id)).quality

    assert await quality() == PlaybackQuality()
    nothing = PlayerSession(stream_id, "a", None, 0, None, 0, 0)
    first = replace(nothing, startup_ms=1_000, rebuffers=1, shown_ms=2_000, bits=4_000_000)
    await store.keep("one", [replace(first, rebuffers=0), nothing_of("gone", nothing)])
    for _ in range(2):  # the answer was lost
        await store.keep("one", [first])
    await store.keep("other", [replace(nothing, rebuffers=2, shown_ms=2_000, bits=2_000_000)])
    slow = [
        replace(nothing, session=f"slow-{n}", startup_ms=2_000 + 10 * n, rebuffered_ms=250)
        for n in range(20)
    ]
    await store.keep("one", [*slow, replace(nothing, session="silent")])
    assert await quality() == PlaybackQuality(
        sessions=22,
        startup_s=round((1_000 + sum(2_000 + 10 * n for n in range(20))) / 21_000, 3),
        startup_p95_s=2.18,
        rebuffers=3,
        rebuffered_sessions=1,
        rebuffered_s=5.0,
        bitrate_kbps=1_500.0,
    )


def nothing_of(session: str, like: PlayerSession) -> PlayerSession:
    """Of a stream that does not exist."""
    return replace(like, session=session, stream_id=uuid4())


async def test_many_sessions_fit_in_one_write(world):
    store, stream_id = SqlQuality(world.stores.database), await world.live(await world.user())
    sessions = [PlayerSession(stream_id, f"s{n}", n, 1, None, 0, 0) for n in range(1_000)]
    await store.keep("one", sessions)
    figures = await world.stores.engagement.figures(stream_id)
    assert (figures.quality.sessions, figures.quality.rebuffers) == (1_000, 1_000)
