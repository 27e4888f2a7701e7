"""What Prometheus reads: one registry for the whole daemon, and the handler that shows it.

Parts take the registry in their constructor and add their own metrics, named `golive_…` with the
unit last. No label holds what strangers choose or what grows without end: no key, no user, no
stream; what concerns one stream is the API's to tell.
"""

from aiohttp import web
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

PATH = "/metrics"


def create_registry() -> CollectorRegistry:
    """A registry with the process's own figures: CPU, memory, descriptors, garbage collection."""
    registry = CollectorRegistry(auto_describe=True)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def metrics_route(registry: CollectorRegistry) -> web.RouteDef:
    """GET /metrics; for listeners that the public does not reach."""

    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
        return web.Response(body=encode(registry), headers=headers)

    return web.get(PATH, answer)


def create_metrics(registry: CollectorRegistry) -> web.Application:
    """The application of a listener that serves metrics alone."""
    app = web.Application()
    app.add_routes([metrics_route(registry)])
    return app
