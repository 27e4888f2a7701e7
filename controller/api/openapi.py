"""The OpenAPI 3.1 document, made from the operations and their models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from controller.api.answers import Problem
from controller.api.fields import UUID_PATTERN
from controller.api.problems import PROBLEM_JSON
from controller.api.registry import Access, AnyOperation, DocumentedRoute, RefusalKind
from controller.api.requests import Nothing
from controller.errors import FieldError, InvalidRequest

BASE_PATH = "/api/v1"
_TEMPLATE = "#/components/schemas/{model}"
_ModelKey = tuple[type[Any], JsonSchemaMode]
_References = Mapping[_ModelKey, dict[str, Any]]
_ID_SCHEMA = {"type": "string", "format": "uuid", "pattern": f"^{UUID_PATTERN}$"}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Repeat the call with the same key, and it happens once; kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
}
_DESCRIPTION = (
    "Schedule, run and evaluate live commerce streams. Answers are `{success, message?, data}`; "
    "errors are RFC 9457 problems with a stable `code`. Times are RFC 3339 in UTC."
)


@dataclass(frozen=True, slots=True)
class ApiInfo:
    """What the document says about this installation."""

    version: str
    public_url: str


def openapi_document(
    operations: Sequence[AnyOperation], documented: Sequence[DocumentedRoute], info: ApiInfo
) -> dict[str, Any]:
    """The whole document, as plain JSON values."""
    references, definitions = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        entry = _operation(operation, references, _links(operation, operations))
        paths.setdefault(operation.path, {})[operation.method.lower()] = entry
    schemas = dict(definitions)
    for route in documented:
        entry = _documented(route, references)
        if route.at_root:
            entry["servers"] = [{"url": info.public_url}]
        paths.setdefault(route.path, {})[route.method.lower()] = entry
        schemas |= route.schemas
    return {
        "openapi": "3.1.0",
        "info": {"title": "golive", "version": info.version, "description": _DESCRIPTION},
        "servers": [{"url": f"{info.public_url}{BASE_PATH}"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
    }


def _schemas(
    operations: Sequence[AnyOperation],
) -> tuple[_References, dict[str, Any]]:
    wanted: dict[_ModelKey, None] = {(Problem, "serialization"): None}
    for operation in operations:
        if operation.reads_body:
            wanted[(operation.body, "validation")] = None
        for answer in operation.answers.values():
            if answer is Nothing:
                continue
            wanted[(answer, "serialization")] = None
    references, document = models_json_schema(list(wanted), by_alias=True, ref_template=_TEMPLATE)
    definitions: dict[str, Any] = document.get("$defs", {})
    return {**references}, definitions


def _links(operation: AnyOperation, others: Sequence[AnyOperation]) -> dict[str, Any]:
    """The calls that can be made with what this call's answer gives."""
    return {
        other.id: {
            "operationId": other.id,
            "parameters": {name: operation.gives[name] for name in other.path_parameters},
        }
        for other in others
        if other.path_parameters and set(other.path_parameters) <= set(operation.gives)
    }


def _operation(
    operation: AnyOperation, references: _References, links: Mapping[str, Any]
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.who}.",
        "security": [{"bearer": []}],
        "parameters": _parameters(operation),
        "responses": _responses(operation, references, links),
    }
    if operation.access is Access.ANYONE:
        entry["security"].append({})
    if operation.reads_body:
        schema = references[(operation.body, "validation")]
        entry["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return entry


def _documented(route: DocumentedRoute, references: _References) -> dict[str, Any]:
    problem = references[(Problem, "serialization")]
    responses = {**route.operation["responses"], **_refused(route.refusals, problem)}
    return {**route.operation, "responses": responses}


def _parameters(operation: AnyOperation) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _ID_SCHEMA}
        for name in operation.path_parameters
    ]
    if operation.reads_query:
        query = operation.query.model_json_schema(ref_template=_TEMPLATE)
        inlined = _inlined(query, query.get("$defs", {}))
        parameters += [
            {"name": name, "in": "query", "required": False, "schema": _given(schema)}
            for name, schema in inlined["properties"].items()
        ]
    if operation.takes_idempotency_key:
        parameters.append(_IDEMPOTENCY_KEY)
    return parameters


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with its references replaced: parameters stand alone."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _inlined(definitions[reference.rpartition("/")[2]], definitions)
    return {name: _inlined(value, definitions) for name, value in schema.items() if name != "$defs"}


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema without null: a query cannot say it, only leave the parameter out."""
    choices = [item for item in schema.get("anyOf", []) if item != {"type": "null"}]
    if len(choices) == 1:
        rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
        return {**choices[0], **rest}
    return schema


def _responses(
    operation: AnyOperation, references: _References, links: Mapping[str, Any]
) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, model in operation.answers.items():
        if model is Nothing:
            responses[str(status)] = {"description": "Done; there is no body."}
            continue
        schema = {
            "type": "object",
            "required": ["success", "data"],
            "properties": {
                "success": {"const": True},
                "message": {"type": "string"},
                "data": references[(model, "serialization")],
            },
        }
        responses[str(status)] = {
            "description": _first_line(model),
            "content": {"application/json": {"schema": schema}},
        }
        if links:
            responses[str(status)]["links"] = dict(links)
        if operation.has_etag:
            responses[str(status)]["headers"] = {
                "ETag": {"description": "Send it back as If-None-Match.", "schema": _TEXT}
            }
    if operation.has_etag:
        responses["304"] = {"description": "What the caller has is still current."}
    problem = references[(Problem, "serialization")]
    return responses | _refused(operation.all_refusals, problem)


_TEXT = {"type": "string"}


def _refused(refusals: Sequence[RefusalKind], problem: dict[str, Any]) -> dict[str, Any]:
    """The responses of a call's refusals, by status."""
    grouped: dict[int, list[RefusalKind]] = {}
    for refusal in refusals:
        grouped.setdefault(refusal.http_status, []).append(refusal)
    return {str(status): _refusals(grouped[status], problem) for status in sorted(grouped)}


def _refusals(refusals: Sequence[RefusalKind], problem: dict[str, Any]) -> dict[str, Any]:
    """One status with every error that it may stand for, each with its sentence."""
    return {
        "description": "; ".join(
            f"`{refusal.code}`: {refusal.default_detail}" for refusal in refusals
        ),
        "content": {
            PROBLEM_JSON: {
                "schema": problem,
                "examples": {refusal.code: {"value": _example(refusal)} for refusal in refusals},
            }
        },
    }


def _example(refusal: RefusalKind) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": f"/docs#error-{refusal.code}",
        "title": refusal.title,
        "status": refusal.http_status,
        "detail": refusal.default_detail,
        "code": refusal.code,
        "retryable": refusal.retryable,
        "request_id": "0f8fad5bd9cb469fa16570867728950e",
    }
    if refusal is InvalidRequest:
        refused = FieldError("body", "title", "Field required", "missing")
        example["errors"] = [
            {
                "location": refused.location,
                "field": refused.field,
                "message": refused.message,
                "code": refused.code,
            }
        ]
    return example


def _first_line(model: type[BaseModel]) -> str:
    return (model.__doc__ or model.__name__).strip().splitlines()[0]
