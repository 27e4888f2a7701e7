"""Every event and command of the room, from the AsyncAPI document that the daemon publishes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from docs.generator.schemas import Schemas
from docs.generator.tables import code, table

_HEAD = """\
# The room's events

The same events and payloads over WebSocket (`/api/v1/ws`), Socket.IO (`/socket.io/`) and, for those
who only read, server-sent events (`/api/v1/streams/{stream_id}/room`). As an AsyncAPI 3.1 document:
`/api/v1/asyncapi.json`. [Clients of the room](../room-clients.md) shows a page and an app.

"""
_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")


def room_page(document: Mapping[str, Any]) -> str:
    """The page."""
    schemas = Schemas(document["components"]["schemas"])
    parts = [
        _HEAD,
        "## What the server sends\n",
        *_messages(document, "webSocketEvents", schemas),
        "## What clients send\n",
        *_messages(document, "webSocketCommands", schemas),
        "## Objects\n",
        schemas.mentioned(),
        "## What an `error` event says\n",
        table(
            ("`code`", "`message`", "What it means"),
            ((code(e["code"]), e["message"], e["description"]) for e in document["x-errors"]),
        ),
        "## Close codes of the WebSocket\n",
        table(
            ("Code", "Reason"),
            ((str(one["code"]), one["reason"]) for one in document["x-close-codes"]),
        ),
        "## Limits\n",
        table(("", ""), ((_words(k), f"{v:g}") for k, v in document["x-limits"].items())),
    ]
    return "\n".join(parts)


def _messages(document: Mapping[str, Any], operation: str, schemas: Schemas) -> Iterator[str]:
    components = document["components"]
    for reference in document["operations"][operation]["messages"]:
        key = reference["$ref"].rpartition("/")[2]
        message = components["messages"][key]
        if key == "ack":  # in the form of the frame itself
            yield f"### `ack`\n\n{message['title']}.\n\n{schemas.fields(message['payload'])}"
        else:
            yield f"### `{message['name']}`\n\n{message['summary']}\n"
            yield schemas.fields(message["payload"])


def _words(name: str) -> str:
    return _CAMEL.sub(" ", name).lower()
