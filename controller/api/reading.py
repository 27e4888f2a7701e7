"""Reads a request into its models; everything that is wrong with it is said at once, by field."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from controller.api.fields import parse_uuid
from controller.errors import (
    FieldError,
    InvalidRequest,
    MalformedJson,
    PayloadTooLarge,
    UnsupportedMediaType,
)

ModelT = TypeVar("ModelT", bound=BaseModel)

MOST_BODY_BYTES = 64 * 1024
MOST_ERRORS = 50
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,200}")
# Names of alternatives, which pydantic puts among the names of fields.
_ALTERNATIVES = frozenset({"list", "object", "fcm", "web_push"})


async def read_body(request: web.Request, model: type[ModelT]) -> ModelT:
    """The JSON body as a model.

    UnsupportedMediaType, PayloadTooLarge, MalformedJson, InvalidRequest.
    """
    if request.content_type != "application/json":
        raise UnsupportedMediaType
    if (request.charset or "utf-8").lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType
    raw = await _read_bounded(request)
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        if any(item["type"] == "json_invalid" for item in error.errors(include_input=False)):
            raise MalformedJson from None
        raise _refusal("body", error) from None


async def _read_bounded(request: web.Request) -> bytes:
    if (request.content_length or 0) > MOST_BODY_BYTES:
        raise PayloadTooLarge
    raw = bytearray()
    async for chunk in request.content.iter_any():
        raw += chunk
        if len(raw) > MOST_BODY_BYTES:
            raise PayloadTooLarge
    return bytes(raw)


def read_query(query: MultiMapping[str], model: type[ModelT]) -> ModelT:
    """The query string as a model; InvalidRequest, also for a parameter given twice."""
    repeated = sorted(name for name in set(query) if len(query.getall(name)) > 1)
    known = [name for name in repeated if name in model.model_fields]
    if known:
        raise InvalidRequest(
            [FieldError("query", name, "must be given once only", "repeated") for name in known]
        )
    try:
        return model.model_validate(dict(query))
    except ValidationError as error:
        raise _refusal("query", error) from None


def read_path(match_info: Mapping[str, str]) -> dict[str, UUID]:
    """The ids in the path; InvalidRequest."""
    ids: dict[str, UUID] = {}
    errors = []
    for name, value in match_info.items():
        try:
            ids[name] = parse_uuid(value)
        except ValueError as error:
            errors.append(FieldError("path", name, str(error), "uuid"))
    if errors:
        raise InvalidRequest(errors)
    return ids


def read_idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The Idempotency-Key, None when there is none; InvalidRequest."""
    key = headers.get("Idempotency-Key")
    if key is None or _IDEMPOTENCY_KEY.fullmatch(key):
        return key
    reason = "must be 1 to 200 visible ASCII characters"
    raise InvalidRequest([FieldError("header", "Idempotency-Key", reason, "pattern")])


def _refusal(location: str, error: ValidationError) -> InvalidRequest:
    """Pydantic's findings in our words; never with the input, which may be a secret or huge."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return InvalidRequest(
        [
            FieldError(location, _field_of(item["loc"]), item["msg"], item["type"])
            for item in found[:MOST_ERRORS]
        ]
    )


def _field_of(loc: tuple[Any, ...]) -> str:
    parts = [str(part) for part in loc if part not in _ALTERNATIVES]
    return ".".join(parts)
