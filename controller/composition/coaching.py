"""The ingest coach."""

from contextlib import AsyncExitStack

from controller.composition.media import MediaPlane
from controller.domain.ports import Clock
from controller.publishing.background import BackgroundTasks
from controller.publishing.coaching import AdviceAnnouncer, Coaching
from controller.publishing.session_health import SupervisedSessions
from controller.settings import Settings


def build_coaching(
    settings: Settings,
    media: MediaPlane,
    announcer: AdviceAnnouncer,
    clock: Clock,
    stack: AsyncExitStack,
) -> Coaching:
    """The coaches, at work until `stack` ends them."""
    sessions = SupervisedSessions(media.supervisor)
    coaching = Coaching(sessions, announcer, clock, settings.segment_target_s)
    background = BackgroundTasks()
    stack.push_async_callback(background.close)
    background.start(coaching.run(), "coaching")
    return coaching
