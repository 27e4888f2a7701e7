"""The AsyncAPI document: read by AsyncAPI's own parser, whole, and served."""

import json
import subprocess

from controller.errors import ControllerError
from controller.hub import asyncapi, errors, payloads
from controller.hub.asyncapi import COMMANDS, EVENTS, REFUSALS, asyncapi_document
from controller.hub.closing import CloseCode
from controller.hub.commands import _READERS, AUTH
from controller.hub.limits import HubLimits
from controller.stores.migration import migrate
from tests.http.running_api import run_api
from tests.support.node import CLIENTS, NODE

DOCUMENT = asyncapi_document("1.2.3", "https://shop.test", HubLimits())


def test_asyncapis_own_parser_finds_nothing_wrong():
    read = subprocess.run(
        [NODE, "parse_asyncapi.js"],
        cwd=CLIENTS, input=json.dumps(DOCUMENT).encode(), capture_output=True, timeout=60,
        check=True,
    )  # fmt: skip
    found = json.loads(read.stdout)
    assert (found["valid"], found["said"]) == (True, [])
    assert set(found["messages"]) - {None} == {*EVENTS, *COMMANDS}


def test_every_event_command_refusal_and_close_code_is_in_it():
    constants = {
        value for name, value in vars(payloads).items() if name.isupper() and isinstance(value, str)
    }
    assert set(EVENTS) == constants - payloads.UNSENT
    assert set(COMMANDS) == {AUTH, *_READERS}
    defined = {
        one for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, ControllerError) and one.__module__ == errors.__name__
    }  # fmt: skip
    assert defined <= set(REFUSALS)
    assert [one["code"] for one in DOCUMENT["x-errors"]] == [one.code for one in REFUSALS]
    assert len({one.code for one in REFUSALS}) == len(REFUSALS)
    assert [one["code"] for one in DOCUMENT["x-close-codes"]] == [*map(int, CloseCode)]


def test_the_contracts_limits_are_in_it():
    limits = DOCUMENT["x-limits"]
    assert (limits["messageCharacters"], limits["messagesPerMinute"]) == (200, 10)
    assert limits["historyMessages"] == 100
    message = DOCUMENT["components"]["schemas"]["StreamChat"]["properties"]["message"]
    assert (message["minLength"], message["maxLength"]) == (1, 200)
    emojis = DOCUMENT["components"]["schemas"]["StreamReaction"]["properties"]["emoji"]["enum"]
    assert emojis == ["❤️", "🔥", "👏", "😂", "😮", "💎"]


async def test_it_is_served_and_linked_from_the_page(tmp_path):
    url = f"sqlite:///{tmp_path}/golive.db"
    await migrate(url)
    async with run_api(url, event_document=DOCUMENT) as api:
        reply = await api.call("GET", "/asyncapi.json")
        assert (reply.status, reply.json) == (200, DOCUMENT)
        page = await api.call("GET", "//docs")
        assert f'href="{asyncapi.PATH}"' in page.text
