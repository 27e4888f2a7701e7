"""The readable page at /docs: the OpenAPI document as one HTML page that needs nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from controller.api.openapi import BASE_PATH

_METHODS = ("get", "post", "put", "patch", "delete", "options")
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "to {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "default": "default {}",
}


def docs_page(document: Mapping[str, Any]) -> str:
    """The page for an OpenAPI document."""
    loader = PackageLoader("controller.api")
    environment = Environment(loader=loader, autoescape=select_autoescape(default=True))
    return environment.get_template("docs.html.j2").render(
        info=document["info"],
        server=document["servers"][0]["url"],
        base_path=BASE_PATH,
        sections=_sections(document["paths"]),
        models=[
            _model(name, schema)
            for name, schema in sorted(document["components"]["schemas"].items())
        ],
        errors=_errors(document["paths"]),
    )


def _sections(paths: Mapping[str, Any]) -> list[dict[str, Any]]:
    sections: dict[str, list[dict[str, Any]]] = {}
    for path, entries in paths.items():
        for method in _METHODS:
            if method in entries:
                call = _call(method, path, entries[method])
                sections.setdefault(call["tag"], []).append(call)
    return [{"name": name, "calls": calls} for name, calls in sections.items()]


def _call(method: str, path: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": entry["operationId"],
        "tag": entry.get("tags", ["Other"])[0],
        "method": method.upper(),
        "path": path,
        "summary": entry.get("summary", ""),
        "who": entry.get("description", ""),
        "needs_token": {} not in entry.get("security", [{}]),
        "parameters": [
            {
                "name": parameter["name"],
                "where": parameter["in"],
                "required": parameter.get("required", False),
                "kind": _kind(parameter["schema"]),
                "description": parameter.get("description", ""),
            }
            for parameter in entry.get("parameters", [])
        ],
        "body": _name_of(_content(entry.get("requestBody", {}))),
        "answers": [
            {
                "status": status,
                "description": response["description"],
                "model": _name_of(_content(response).get("properties", {}).get("data", {})),
            }
            for status, response in entry["responses"].items()
        ],
    }


def _content(carrier: Mapping[str, Any]) -> Mapping[str, Any]:
    for content in carrier.get("content", {}).values():
        schema: Mapping[str, Any] = content.get("schema", {})
        return schema
    return {}


def _model(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    required = schema.get("required", [])
    return {
        "name": name,
        "description": schema.get("description", ""),
        "kind": _kind(schema),
        "fields": [
            {
                "name": field,
                "required": field in required,
                "kind": _kind(described),
                "description": described.get("description", ""),
            }
            for field, described in schema.get("properties", {}).items()
        ],
    }


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words, with its limits."""
    words = [_shape(schema)]
    words += [
        text.format(schema[limit])
        for limit, text in _LIMITS.items()
        if schema.get(limit) not in (None, "", [])
    ]
    return ", ".join(words)


def _shape(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return _name_of(schema)
    for alternatives in ("anyOf", "oneOf"):
        if alternatives in schema:
            return " or ".join(_kind(item) for item in schema[alternatives])
    if "enum" in schema:
        return " | ".join(str(value) for value in schema["enum"])
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "anything"))


def _name_of(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _errors(paths: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Every error of every call, once, by status and code."""
    found: dict[str, Mapping[str, Any]] = {}
    for entries in paths.values():
        for entry in entries.values():
            for response in entry["responses"].values():
                for content in response.get("content", {}).values():
                    for code, example in content.get("examples", {}).items():
                        found[code] = example["value"]
    return sorted(found.values(), key=lambda error: (error["status"], error["code"]))
