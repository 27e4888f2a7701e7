"""Routes of the OpenAPI document that are served by other parts than the API."""

from controller.api.registry import DocumentedRoute
from controller.api.uploads import RECEIVE_UPLOAD
from controller.hooks.documentation import VALIDATE_KEY

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
                "schema": {"type": "string", "maxLength": 128},
            },
        ],
        "responses": {
            "200": {
                "description": "The events, for as long as the client listens",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            },
            "401": {"description": "The token is not valid"},
            "403": {"description": "The stream's audience does not include the caller"},
            "404": {"description": "Stream not found"},
        },
    },
)

DOCUMENTED_ROUTES = (VALIDATE_KEY, ROOM_EVENTS, RECEIVE_UPLOAD)
