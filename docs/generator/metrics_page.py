"""All metrics that a running daemon shows."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from docs.generator.tables import code, table

_HEAD = """\
# Metrics

What `/metrics` shows, in the daemon's own words. [Watching golive](../observability.md) says how to
have it read, what the labels are, and what to do when an alert fires.

"""
_OF_THE_CLIENT = "_created"


@dataclass(frozen=True, slots=True)
class Metric:
    """One family, under the name that queries use."""

    name: str
    kind: str
    help: str


def metrics_in(text: str) -> Iterator[Metric]:
    """Those of a scrape; without the moments at which counters began."""
    for family in text_string_to_metric_families(text):
        if not family.name.endswith(_OF_THE_CLIENT):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            yield Metric(name, family.type, family.documentation)


def metrics_page(text: str) -> str:
    """The page."""
    metrics = sorted(metrics_in(text), key=lambda one: one.name)
    rows = [(code(one.name), one.kind, one.help) for one in metrics]
    return _HEAD + table(("Metric", "Kind", "What it tells"), rows)
