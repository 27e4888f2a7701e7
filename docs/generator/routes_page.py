"""Every call of the API, from the OpenAPI document that the daemon publishes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from docs.generator.schemas import Schemas
from docs.generator.tables import code, one_line, table

_HEAD = """\
# The API, call by call

Paths are below `/api/v1`; those that begin with `/live` are at the server's root instead. The same
as an OpenAPI 3.1 document: `/api/v1/openapi.json`; as a page of your own server: `/docs`.
[Error codes](errors.md) explains what calls refuse with; the [Go Live flow](../go-live-flow.md)
shows them in their order, with curl.

"""
_CODE = re.compile(r"`([a-z_]+)`: ")
_FIRST_ERROR = 400


def routes_page(document: Mapping[str, Any]) -> str:
    """The page."""
    schemas = Schemas(document["components"]["schemas"])
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            [tag, *_] = operation["tags"]
            section = "\n".join(_operation(method.upper(), path, operation, schemas))
            by_tag.setdefault(tag, []).append(section)
    parts = [
        f"## {tag[:1].upper()}{tag[1:]}\n\n{chr(10).join(sections)}"
        for tag, sections in by_tag.items()
    ]
    return _HEAD + "\n".join([*parts, "## Objects\n", schemas.mentioned()])


def _operation(
    method: str, path: str, operation: Mapping[str, Any], schemas: Schemas
) -> Iterator[str]:
    yield f"### `{method} {path}`\n"
    yield f"{operation['summary']}. {one_line(operation.get('description'))}\n"
    yield table(
        ("Parameter", "In", "Type", ""),
        (
            (code(one["name"]), one["in"], schemas.kind(one["schema"]), one.get("description", ""))
            for one in operation.get("parameters", ())
        ),
    )
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body, `{kind}`:\n\n{schemas.fields(content.get('schema', {}))}"
    yield from _answers(operation["responses"], schemas)


def _answers(responses: Mapping[str, Any], schemas: Schemas) -> Iterator[str]:
    refusals = []
    for status, response in responses.items():
        if int(status) < _FIRST_ERROR:
            yield f"{status}: {one_line(response['description'])}\n"
            yield _data(response, schemas)
            continue
        codes = _CODE.findall(response["description"])
        refusals.append((status, ", ".join(map(code, codes)) or one_line(response["description"])))
    yield table(("Refused", "With"), refusals)


def _data(response: Mapping[str, Any], schemas: Schemas) -> str:
    """The fields of the envelope's data."""
    content = response.get("content", {}).get("application/json", {}).get("schema", {})
    data = content.get("properties", {}).get("data")
    return f"`data`:\n\n{schemas.fields(data)}" if data else ""
