"""Nothing of the product is left out: each name is looked for where the code has it."""

import re
from pathlib import Path

from click.testing import CliRunner

from controller.cli import main
from controller.domain.coach import AdviceCode
from controller.domain.webhooks import WebhookEvent
from controller.hub import payloads
from controller.hub.asyncapi import COMMANDS
from controller.settings import Settings

ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"^    code(?:: ClassVar\[str\])? = \"([a-z_]+)\"$", re.MULTILINE)
_METRIC = re.compile(r'"(golive_[a-z_]+)"|f"golive_room_\{name\}"')
_NO_METRICS = {"golive_guest", "golive_player", "golive_write", "golive_room_"}
_COMMAND = re.compile(r"^  ([a-z-]+) ", re.MULTILINE)
_EVENT = re.compile(r"[a-z]+(?::[a-z]+)?")


def sources() -> list[str]:
    return [
        path.read_text("utf-8")
        for package in ("controller", "ingest")
        for path in (ROOT / package).rglob("*.py")
        if "node_modules" not in path.parts
    ]


def test_every_setting_is_there_with_what_it_is_for(site):
    page = site.page("reference/settings.html")
    told = {
        row[0].text_content(): row[2].text_content().strip() for row in page.xpath("//tbody/tr")
    }

    assert told.keys() == {f"GOLIVE_{name.upper()}" for name in Settings.model_fields}
    assert [name for name, text in told.items() if len(text) < 10] == []


def test_every_error_code_is_there_with_its_meaning(site):
    page = site.page("reference/errors.html")
    told = {row[0].text_content(): row[-1].text_content() for row in page.xpath("//tbody/tr")}
    codes = {code for text in sources() for code in _CODE.findall(text)}

    assert len(codes) > 90
    assert codes - told.keys() == set()
    assert [code for code, meaning in told.items() if len(meaning) < 10] == []


def test_every_metric_is_there_and_explained_beside_the_alerts(site):
    page = site.page("reference/metrics.html")
    told = {row[0].text_content(): row[2].text_content() for row in page.xpath("//tbody/tr")}
    named = {name for text in sources() for name in _METRIC.findall(text) if name} - _NO_METRICS
    explained = (ROOT / "docs" / "observability.md").read_text("utf-8")

    families = {name.removesuffix("_total") for name in told}
    assert len(named) > 40
    assert {name.removesuffix("_total") for name in named} - families == set()
    assert [name for name in told if f"`{name}`" not in explained] == []
    assert [name for name, text in told.items() if len(text) < 8] == []


def test_every_event_and_command_of_the_room_is_there(site):
    headings = site.headings("reference/room.html")
    events = {
        value
        for name, value in vars(payloads).items()
        if name.isupper() and isinstance(value, str) and _EVENT.fullmatch(value)
    }

    assert len(events) > 20
    assert events - payloads.UNSENT - headings == set()
    assert COMMANDS.keys() - headings == set()


def test_every_webhook_event_is_there(site):
    page = site.page("webhooks.html")
    told = {row[0].text_content(): row[2].text_content() for row in page.xpath("//tbody/tr")}

    assert {event.value for event in WebhookEvent} - told.keys() == set()


def test_every_advice_of_the_coach_is_there(site):
    assert {advice.value for advice in AdviceCode} - site.code_words(
        "reference/advice.html"
    ) == set()


def test_every_call_that_the_code_names_is_there(site):
    headings = site.headings("reference/api.html")
    pattern = re.compile(r'^\s+method="([A-Z]+)",\n\s+path=f?"(/[^"]*)"', re.MULTILINE)
    named = {f"{method} {path}" for text in sources() for method, path in pattern.findall(text)}

    assert len(named) > 30
    assert named - headings == set()


def test_every_command_is_there_with_its_options(site):
    headings = site.headings("reference/commands.html")
    missing = [" ".join(path) for path in commands() if " ".join(path) not in headings]

    assert missing == []
    assert "golive stream list" in headings
    text = site.page("reference/commands.html").text_content()
    assert "--http-port" in text
    assert "--duration" in text


def commands(path: tuple[str, ...] = ("golive",)) -> list[tuple[str, ...]]:
    """As `--help` lists them, from the top down."""
    shown = CliRunner().invoke(main, [*path[1:], "--help"])
    assert shown.exit_code == 0
    _, _, listed = shown.output.partition("\nCommands:\n")
    found = [path]
    for name in _COMMAND.findall(listed):
        found += commands((*path, name))
    return found
