"""What is measured across the daemon."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from importlib.metadata import version

from aiohttp.typedefs import Middleware
from prometheus_client import CollectorRegistry

from controller.composition.media import MediaPlane
from controller.domain.ports import Clock
from controller.observing.daemon import DaemonMetrics
from controller.observing.dependencies import Ask, DependencyWatch
from controller.observing.hooks import observe_hooks
from controller.observing.loop_lag import LoopLag
from controller.observing.tracing import open_tracing
from controller.publishing.background import BackgroundTasks
from controller.publishing.publication_log import PublicationLog
from controller.publishing.visits import Visits
from controller.settings import Settings
from controller.stores.job_backlog import SqlJobBacklog
from controller.stores.opening import Stores


def start_observing(
    settings: Settings,
    stores: Stores,
    media: MediaPlane,
    visits: Visits,
    clock: Clock,
    registry: CollectorRegistry,
    stack: AsyncExitStack,
) -> Middleware:
    """Begin to measure; `stack` ends it. Answers the hook listener's middleware.

    Raises ConfigurationError when traces are wanted and cannot be sent.
    """
    tracing = open_tracing(settings.otlp_endpoint, version("golive"))
    stack.callback(tracing.close)
    PublicationLog(media.supervisor, visits, registry, tracing)
    DaemonMetrics(version("golive"), stores.database.figures, registry)
    asks: Mapping[str, Ask] = {"database": stores.database.check, "nginx-rtmp": media.nginx.names}
    backlog = SqlJobBacklog(stores.database, clock)
    background = BackgroundTasks()
    stack.push_async_callback(background.close)
    background.start(LoopLag(registry).run(), "loop-lag")
    background.start(DependencyWatch(asks, backlog.read, registry).run(), "dependencies")
    return observe_hooks(registry, tracing)
