"""Rehearsals: encoders before their streams are live."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from controller.composition.media import MediaPlane
from controller.domain.ports import Clock
from controller.publishing.background import BackgroundTasks
from controller.publishing.lifecycle import StreamLifecycle
from controller.publishing.publish_service import Stage
from controller.publishing.rehearsals import (
    NothingKept,
    Rehearsals,
    RehearsedStreams,
    Unannounced,
)
from controller.publishing.visits import Visits
from controller.settings import Settings
from controller.stores.opening import Stores


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """Where encoders rehearse, and who ends it."""

    stage: Stage
    rehearsals: Rehearsals
    background: BackgroundTasks

    async def recover(self) -> None:
        """Go on with what the last run of the daemon left; from then on, end what is over."""
        await self.stage.lifecycle.recover()
        self.background.start(self.rehearsals.run(), "rehearsals")


def build_rehearsals(
    settings: Settings, stores: Stores, media: MediaPlane, clock: Clock, stack: AsyncExitStack
) -> Rehearsing:
    """A lifecycle of their own, with visits of their own; `stack` ends it."""
    visits = Visits()
    lifecycle = StreamLifecycle(
        RehearsedStreams(stores.rehearsals, clock),
        stores.rehearsals,
        Unannounced(),
        media.encoders,
        media.supervisor,
        NothingKept(stores.rehearsals, media.supervisor),
        visits,
        clock,
        pull_url=settings.rtmp_pull_url,
        spool_dir=settings.spool_folder if settings.spool else None,
        # An encoder may stay away for as long as a rehearsal lasts.
        grace_s=settings.rehearsal_s,
    )
    stack.push_async_callback(lifecycle.close)
    rehearsals = Rehearsals(stores.rehearsals, lifecycle, media.supervisor)
    stack.push_async_callback(rehearsals.close)
    background = BackgroundTasks()
    stack.push_async_callback(background.close)
    return Rehearsing(Stage(stores.rehearsals, lifecycle, visits), rehearsals, background)
