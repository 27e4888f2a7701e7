"""What nginx's hooks came to: a middleware of the hook listener."""

import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry, Counter, Histogram

from controller.observing.tracing import Tracing

OUTCOME = web.ResponseKey("outcome", str)
"""Set by a handler: `accepted`, or the code of a refusal; one of ours, never a stranger's word."""

_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 8.0)
_PREFIX = "/hooks/"
_PUBLISH = "publish"


def observe_hooks(registry: CollectorRegistry, tracing: Tracing) -> Middleware:
    """Counts, times and traces the hooks; other routes of the listener pass."""
    answers = Counter(
        "golive_hooks",
        "Hooks of nginx-rtmp, by what they came to.",
        ["hook", "outcome"],
        registry=registry,
    )
    durations = Histogram(
        "golive_hook_duration_seconds",
        "How long nginx-rtmp waited for a hook; beyond netcall_timeout it refuses the encoder.",
        ["hook"],
        buckets=_BUCKETS_S,
        registry=registry,
    )

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        resource = request.match_info.route.resource
        path = "" if resource is None else resource.canonical
        if not path or request.method != "POST":
            return await handler(request)
        # The publish hook has a second address.
        hook = path.removeprefix(_PREFIX) if path.startswith(_PREFIX) else _PUBLISH
        started = time.perf_counter()
        with tracing.within(f"hook {hook}", {"hook": hook}) as span:
            try:
                response = await handler(request)
            except BaseException:
                answers.labels(hook, "crashed").inc()
                raise
            outcome = response.get(OUTCOME, "answered")
            span.event(outcome)
        answers.labels(hook, outcome).inc()
        durations.labels(hook).observe(time.perf_counter() - started)
        return response

    return middleware
