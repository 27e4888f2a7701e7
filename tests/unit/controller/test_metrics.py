import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from controller.metrics import PATH, create_metrics, create_registry


@pytest.fixture
def registry():
    return create_registry()


async def test_the_registry_is_shown_with_the_process_own_figures(aiohttp_client, registry):
    refused = prometheus_client.Counter(
        "golive_encoders_refused", "Encoders turned away.", ["code"], registry=registry
    )
    refused.labels("unknown_key").inc(3)
    client = await aiohttp_client(create_metrics(registry))

    answer = await client.get(PATH)

    text = await answer.text()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert answer.headers["Cache-Control"] == "no-store"
    assert samples["golive_encoders_refused_total", "unknown_key"] == 3
    assert samples["process_cpu_seconds_total",] > 0
    assert samples["process_resident_memory_bytes",] > 0


async def test_a_scraper_gets_openmetrics_when_it_asks(aiohttp_client, registry):
    client = await aiohttp_client(create_metrics(registry))

    answer = await client.get(PATH, headers={"Accept": "application/openmetrics-text"})

    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert (await answer.text()).endswith("# EOF\n")


def test_two_daemons_in_one_process_share_nothing():
    first, second = create_registry(), create_registry()
    prometheus_client.Gauge("golive_one", "One.", registry=first).set(1)

    assert second.get_sample_value("golive_one") is None
