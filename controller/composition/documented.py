"""Routes of the OpenAPI document that are served by other parts than the API."""

from controller.api.registry import DocumentedRoute
from controller.api.uploads import RECEIVE_UPLOAD
from controller.errors import (
    InternalError,
    InvalidRequest,
    NotAuthenticated,
    NotInAudience,
    StoreUnavailable,
    StreamNotFound,
    TooManyFailures,
)
from controller.hooks.documentation import VALIDATE_KEY
from controller.hub.endpoint.sse import LAST_EVENT_ID_MAX
from controller.hub.errors import Banned, RealtimeUnavailable

# One event of the stream, as EventSource hands it out.
_EVENT = {
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "description": "Such as `chat:message`"},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "The event's payload, as on the WebSocket",
        },
        "id": {"type": "string", "description": "What `Last-Event-ID` says after a reconnect"},
        "retry": {"type": "integer", "description": "Milliseconds until a reconnect"},
    },
}

ROOM_EVENTS = DocumentedRoute(
    method="GET",
    path="/streams/{stream_id}/room",
    operation={
        "operationId": "roomEvents",
        "tags": ["room"],
        "summary": "The room's events as server-sent events, for viewers who only read",
        "description": "The same events and payloads as on the WebSocket at `/api/v1/ws`. "
        "`Last-Event-ID` resumes after the last event that was received.",
        "security": [{}, {"bearer": []}],
        "parameters": [
            {
                "name": "stream_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            },
            {
                "name": "Last-Event-ID",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": LAST_EVENT_ID_MAX},
            },
        ],
        "responses": {
            "200": {
                "description": "The events, for as long as the client listens",
                "content": {"text/event-stream": {"schema": _EVENT}},
            },
        },
    },
    refusals=(
        StreamNotFound,
        NotAuthenticated,
        NotInAudience,
        Banned,
        InvalidRequest,
        TooManyFailures,
        InternalError,
        StoreUnavailable,
        RealtimeUnavailable,
    ),
)

DOCUMENTED_ROUTES = (VALIDATE_KEY, ROOM_EVENTS, RECEIVE_UPLOAD)
