"""What the OpenAPI document says of the publish hook."""

from controller.api.registry import DocumentedRoute

VALIDATE_KEY = DocumentedRoute(
    method="POST",
    path="/streams/validate-key",
    operation={
        "operationId": "validateKey",
        "tags": ["nginx"],
        "summary": "Let an encoder publish, or refuse it (nginx-rtmp's on_publish)",
        "description": "For nginx-rtmp alone: it is answered on the hook listener, which only the "
        "local host reaches. An accepted encoder publishes under the fresh internal name in "
        "`Location`; the key itself is never a name.",
        "security": [],
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {
                    "schema": {
                        "type": "object",
                        "required": ["name", "clientid", "addr"],
                        "properties": {
                            "name": {"type": "string", "description": "The stream key"},
                            "clientid": {"type": "string", "description": "nginx's connection"},
                            "addr": {"type": "string", "description": "The encoder's address"},
                            "flashver": {"type": "string", "description": "The encoder's name"},
                        },
                    }
                }
            },
        },
        "responses": {
            "302": {
                "description": "Accepted: publish under the name in `Location`",
                "headers": {"Location": {"schema": {"type": "string"}}},
            },
            "403": {"description": "Refused; `code` of the problem says why"},
            "404": {"description": "Not reachable here: ask the hook listener"},
            "429": {"description": "Too many unknown keys from this address"},
            "503": {"description": "The database or the session worker did not answer in time"},
        },
    },
)
