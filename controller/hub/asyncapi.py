"""The AsyncAPI 3 document of the room, generated from the message models."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from controller.domain.room import HISTORY_MESSAGES, MOST_MESSAGE_CHARACTERS
from controller.errors import (
    ControllerError,
    InternalError,
    NotAuthenticated,
    NotInAudience,
    StoreUnavailable,
    StreamNotFound,
    StreamNotLive,
    TooManyFailures,
)
from controller.hub import errors, messages, payloads
from controller.hub.closing import CloseCode
from controller.hub.limits import HubLimits

PATH = "/api/v1/asyncapi.json"
_SCHEMAS = "#/components/schemas/"
_MESSAGES = "#/components/messages/"

EVENTS: Mapping[str, type[Any]] = {
    payloads.STREAM_JOINED: messages.StreamJoined,
    payloads.STREAM_READY: messages.StreamReady,
    payloads.STREAM_STARTED: messages.StreamStarted,
    payloads.STREAM_INTERRUPTED: messages.StreamState,
    payloads.STREAM_RESUMED: messages.StreamState,
    payloads.STREAM_ENDED: messages.StreamEnded,
    payloads.VIEWER_JOINED: messages.ViewerJoined,
    payloads.VIEWER_LEFT: messages.ViewerLeft,
    payloads.VIEWER_COUNT: messages.ViewerCount,
    payloads.VIEWER_SANCTIONED: messages.ViewerSanctioned,
    payloads.CHAT_MESSAGE: messages.ChatMessage,
    payloads.CHAT_DELETED: messages.ChatDeleted,
    payloads.CHAT_PINNED: messages.ChatPinned,
    payloads.CHAT_SETTINGS: messages.ChatSettings,
    payloads.CHAT_HELD: messages.ChatMessage,
    payloads.REACTION_NEW: messages.ReactionNew,
    payloads.PRODUCT_TAGGED: messages.ProductTagged,
    payloads.PRODUCT_PINNED: messages.ProductPin,
    payloads.PRODUCT_UNPINNED: messages.ProductPin,
    payloads.STREAM_ADVICE: messages.StreamAdvice,
    payloads.AUTH_EXPIRING: messages.AuthExpiring,
    payloads.ERROR: messages.Refusal,
}
"""What the server sends."""

COMMANDS: Mapping[str, type[Any]] = {
    "auth": messages.Auth,
    "stream_join": messages.StreamJoin,
    "stream_leave": messages.StreamOnly,
    "stream_chat": messages.StreamChat,
    "stream_reaction": messages.StreamReaction,
    "stream_prepare": messages.StreamOnly,
    "stream_moderate": messages.StreamModerate,
}
"""What clients send."""

REFUSALS: Sequence[type[ControllerError]] = (
    NotAuthenticated,
    errors.TokenExpired,
    errors.AlreadyIdentified,
    TooManyFailures,
    errors.StreamIdRequired,
    StreamNotFound,
    NotInAudience,
    StreamNotLive,
    errors.TooManyRooms,
    errors.Banned,
    errors.MessageRequired,
    errors.MessageTooLong,
    errors.MessageHeld,
    errors.ChatDisabled,
    errors.CommentsDisabled,
    errors.TimedOut,
    errors.RateLimitExceeded,
    errors.EmojiRequired,
    errors.UnknownEmoji,
    errors.NotModerator,
    errors.ModerationMalformed,
    errors.MessageNotFound,
    errors.MalformedFrame,
    errors.UnknownEvent,
    errors.RealtimeUnavailable,
    StoreUnavailable,
    InternalError,
)
"""What an `error` event may say."""

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**53}
_POSITION = {
    "offset": {**_NUMBER, "description": "Where to come back to: `stream_join`'s offset"},
    "epoch": {"type": "string", "maxLength": 64},
}
_ACK = {
    "type": "object",
    "required": ["ack"],
    "properties": {"ack": {"type": "integer", "minimum": 0}},
}


def asyncapi_document(version: str, public_url: str, limits: HubLimits) -> dict[str, Any]:
    """The whole document, as plain JSON values."""
    models = [*dict.fromkeys([*EVENTS.values(), *COMMANDS.values()])]
    references, schemas = msgspec.json.schema_components(models, ref_template=_SCHEMAS + "{name}")
    schema_of = dict(zip(models, references, strict=True))
    events = {name: schema_of[model] for name, model in EVENTS.items()}
    commands = {name: schema_of[model] for name, model in COMMANDS.items()}
    schemas["Refusal"]["properties"]["code"]["enum"] = [one.code for one in REFUSALS]
    scheme, _, host = public_url.partition("://")
    is_secure = scheme == "https"
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "golive room",
            "version": version,
            "description": "Chat, reactions, viewers and products around a stream. The same "
            "events and payloads over WebSocket, Socket.IO and Server-Sent Events.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "websocket": {"host": host, "protocol": "wss" if is_secure else "ws"},
            "http": {"host": host, "protocol": "https" if is_secure else "http"},
        },
        "channels": _channels(events, commands),
        "operations": _operations(events, commands),
        "components": {
            "schemas": schemas,
            "messages": _messages(events, commands),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "x-errors": [_refusal(one) for one in REFUSALS],
        "x-close-codes": [{"code": int(code), "reason": code.reason} for code in CloseCode],
        "x-limits": _limits(limits),
    }


def _channels(events: Mapping[str, Any], commands: Mapping[str, Any]) -> dict[str, Any]:
    names = [*events, *commands]
    ways = "Bearer token; also as the sub-protocol after `bearer`, or in an `auth` frame"
    query = {"type": "object", "properties": {"token": {"type": "string", "description": ways}}}
    return {
        "webSocket": {
            "address": "/api/v1/ws",
            "title": "WebSocket, JSON text frames `{event, data, id?}`",
            "servers": [{"$ref": "#/servers/websocket"}],
            "messages": {
                **{_key(name): _ref(_key(name) + "Frame") for name in names},
                "ack": _ref("ack"),
            },
            "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
        },
        "socketIo": {
            "address": "/socket.io/",
            "title": "Socket.IO 5 (Engine.IO 4): an event of that name, with the payload",
            "servers": [{"$ref": "#/servers/websocket"}],
            "messages": {
                **{_key(name): _ref(_key(name) + "Packet") for name in events},
                **{_key(name): _ref(_key(name)) for name in commands},
            },
        },
        "serverSentEvents": {
            "address": "/api/v1/streams/{stream_id}/room",
            "title": "Server-Sent Events: `event` is the name, `data` the payload",
            "servers": [{"$ref": "#/servers/http"}],
            "parameters": {"stream_id": {"description": "The stream's id"}},
            "messages": {_key(name): _ref(_key(name)) for name in events},
        },
    }


def _operations(events: Mapping[str, Any], commands: Mapping[str, Any]) -> dict[str, Any]:
    operations: dict[str, Any] = {}
    for channel in ("webSocket", "socketIo", "serverSentEvents"):
        at = f"#/channels/{channel}"
        sent = [*map(_key, events)] + ["ack"] * (channel == "webSocket")
        operations[f"{channel}Events"] = {
            "action": "send",
            "channel": {"$ref": at},
            "messages": [{"$ref": f"{at}/messages/{key}"} for key in sent],
        }
        if channel != "serverSentEvents":
            operations[f"{channel}Commands"] = {
                "action": "receive",
                "channel": {"$ref": at},
                "messages": [{"$ref": f"{at}/messages/{_key(name)}"} for name in commands],
            }
    return operations


def _messages(events: Mapping[str, Any], commands: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"ack": {"title": "A frame's acknowledgement", "payload": _ACK}}
    described = {name: model.__doc__ or "" for name, model in {**EVENTS, **COMMANDS}.items()}
    for name, schema in {**events, **commands}.items():
        about = {"name": name, "title": name, "summary": " ".join(described[name].split())}
        made[_key(name)] = {**about, "payload": schema}
        made[_key(name) + "Frame"] = {
            **about,
            "payload": _frame(name, schema, is_event=name in events),
        }
        if name in events:
            packet = {"allOf": [schema, {"type": "object", "properties": _POSITION}]}
            made[_key(name) + "Packet"] = {**about, "payload": packet}
    return made


def _frame(name: str, schema: Any, *, is_event: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {"event": {"const": name}, "data": schema, "id": _NUMBER}
    if is_event:
        properties |= _POSITION
    return {"type": "object", "required": ["event", "data"], "properties": properties}


def _refusal(refusal: type[ControllerError]) -> dict[str, Any]:
    return {
        "code": refusal.code,
        "message": refusal.default_detail,
        "retryable": refusal.retryable,
        "description": " ".join((refusal.__doc__ or "").split()),
    }


def _limits(limits: HubLimits) -> dict[str, Any]:
    return {
        "messageCharacters": MOST_MESSAGE_CHARACTERS,
        "messagesPerMinute": round(limits.chat.per_s * 60),
        "messagesAtOnce": limits.chat.burst,
        "reactionsPerSecond": limits.reactions.per_s,
        "reactionsAtOnce": limits.reactions.burst,
        "framesPerSecond": limits.frames.per_s,
        "framesAtOnce": limits.frames.burst,
        "frameBytes": limits.frame_bytes,
        "malformedFrames": limits.malformed_frames,
        "roomsPerConnection": limits.rooms_per_connection,
        "historyMessages": HISTORY_MESSAGES,
        "recoverableEvents": limits.log_events,
        "heartbeatSeconds": limits.heartbeat_s,
        "tokenWarningSeconds": limits.token_warning_s,
    }


def _key(name: str) -> str:
    """AsyncAPI's keys know no colon: `chat:message` is `chatMessage`."""
    first, *others = name.replace("_", ":").split(":")
    return first + "".join(word.capitalize() for word in others)


def _ref(key: str) -> dict[str, str]:
    return {"$ref": _MESSAGES + key}
