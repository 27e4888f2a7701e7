"""Logging: one pipeline for structlog and the standard library, from which no secret comes out.

On a terminal lines are for people, elsewhere one JSON object a line. Every value of every event
passes `redact_event`, tracebacks included, before it is rendered.
"""

import datetime as dt
import enum
import logging
import logging.config
import re
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TextIO

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger
from structlog.typing import EventDict, Processor, WrappedLogger

REDACTED = "[redacted]"

LogFormat = Literal["auto", "console", "json"]

# What such fields are called, not one of them.
_SENSITIVE = (
    r"(?:[a-z0-9_.-]*(?:token|password|passwd|secret|authorization|api_?key|access_?key(?:_?id)?"
    r"|stream_?key|private_?key|credentials?)|key|pwd)"
)
_SENSITIVE_FIELD = re.compile(rf"{_SENSITIVE}(?:_(?:hash|enc|value|id))?", re.IGNORECASE)

# Order matters: credentials of a URL and keys first, so that the name=value rule, which ends at
# a delimiter, finds nothing half gone.
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Stream keys. The lookbehinds let `task_id` live and find `%2Fsk_…`; a whole key is found
    # wherever it stands.
    (
        re.compile(
            r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2}))sk_[A-Za-z0-9_-]{3,}|sk_[A-Za-z0-9_-]{32,}"
        ),
        f"sk_{REDACTED}",
    ),
    # Secrets of webhooks.
    (re.compile(r"whsec_[A-Za-z0-9+/=]{8,}"), f"whsec_{REDACTED}"),
    # JSON Web Tokens: base64url of `{"` and whatever parts follow.
    (re.compile(r"eyJ[A-Za-z0-9_=-]{4,}(?:\.[A-Za-z0-9_=-]*){0,4}"), REDACTED),
    # user:password@ of a URL, to the last @ before the path.
    (re.compile(r"(?<=://)[^\s/?#\"'<>]*@"), f"{REDACTED}@"),
    (re.compile(r"\b(bearer|basic)(\s+)(?!\[redacted)[^\s\"',;]{4,}", re.IGNORECASE),
     rf"\1\2{REDACTED}"),
    # name=value and name: value, in query strings, forms, mappings' representations.
    (
        re.compile(
            rf"(?<![A-Za-z0-9])({_SENSITIVE})([\"']?\s*(?:=|%3D|:)\s*)"
            r"(?!\s*\[redacted|sk_\[redacted|(?:bearer|basic)\s)"
            r"(\"[^\"]*\"|'[^']*'|[^\s&;,\"')\]}>]+)",
            re.IGNORECASE,
        ),
        rf"\1\2{REDACTED}",
    ),
)  # fmt: skip
_MAX_DEPTH = 8


def redact_text(text: str) -> str:
    """The text without stream keys, tokens, passwords and URL credentials."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """structlog processor: every string anywhere in the event, redacted.

    Stands last before the renderer, so that tracebacks are text by then.
    """
    return {str(name): _redact_field(str(name), value) for name, value in event.items()}


def configure_logging(log_format: LogFormat, level: str, stream: TextIO) -> None:
    """Route structlog, the standard library's loggers and warnings to `stream`.

    Call it once, at the start of a process.
    """
    on_terminal = log_format == "console" or (log_format == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact_event,
                _renderer(colors=stream.isatty()) if on_terminal else _json_renderer(),
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    # What these say below a warning is about themselves.
    for name in ("asyncio", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def set_log_level(level: str) -> None:
    """Log from that level on; holds for the whole process."""
    logging.getLogger().setLevel(level.upper())


class AccessLogger(AbstractAccessLogger):
    """aiohttp's access log as events, without query strings: those may hold tokens.

    Pass it as `access_log_class` to `web.AppRunner`.
    """

    @property
    def enabled(self) -> bool:
        """Whether anybody would see a line."""
        return self.logger.isEnabledFor(logging.DEBUG)

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """One answered request; at debug, since nginx keeps the public access log."""
        self.logger.debug(
            "request",
            extra={
                "method": request.method,
                "path": request.path,
                "status": response.status,
                "bytes": response.body_length,
                "duration_ms": round(time * 1000, 1),
            },
        )


def _renderer(*, colors: bool) -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )


def _json_renderer() -> Processor:
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _redact_field(name: str, value: Any) -> Any:
    if value is not None and not isinstance(value, bool) and _SENSITIVE_FIELD.fullmatch(name):
        return REDACTED
    return _redact_value(value, _MAX_DEPTH)


def _redact_value(value: Any, depth: int) -> Any:  # noqa: PLR0911 - one line per type
    """The value as JSON can hold it; objects become the redacted text of themselves."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return redact_text(str(value.value) if isinstance(value, enum.Enum) else value)
    if isinstance(value, bytes | bytearray):
        return redact_text(bytes(value).decode("utf-8", "replace"))
    if depth > 0 and isinstance(value, Mapping):
        return {
            redact_text(str(key)): REDACTED
            if isinstance(key, str) and _SENSITIVE_FIELD.fullmatch(key) and item is not None
            else _redact_value(item, depth - 1)
            for key, item in value.items()
        }
    if depth > 0 and isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(item, depth - 1) for item in value]
    if isinstance(value, uuid.UUID | Path | dt.datetime | BaseException):
        return redact_text(str(value))
    return redact_text(repr(value))
