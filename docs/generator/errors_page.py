"""Every code that a refusal may carry, from the classes that carry them."""

import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

import controller
import ingest
from controller.errors import ControllerError
from docs.generator.tables import code, one_line, table
from ingest.errors import IngestError

_HEAD = """\
# Error codes

The API answers with a problem (RFC 9457) whose `code` is stable: match on it, or on `detail` where
the sentence is promised. `retryable` says whether the same call may succeed later.

```json
{"type": "/docs#error-stream_not_live", "title": "Bad request", "status": 400,
 "detail": "Stream is not live", "code": "stream_not_live", "request_id": "…", "retryable": false}
```

Fields that were refused (422) are listed in `errors`, each with its place and the reason. The room
sends the same codes in `error` events, and nginx's hooks refuse encoders with them.

"""
_MEDIA = """
## Of the media plane

These stand in the log, in the state of jobs and clips, and in the answers to players and WebRTC
clients.

"""
_ENTRY_POINTS = "__main__"
_Errors = type[ControllerError] | type[IngestError]


def errors_page() -> str:
    """The page."""
    import_everything()
    answered = table(
        ("Code", "Status", "Retryable", "Detail", "What it means"),
        (
            (code(one.code), str(one.http_status), _yes(one), one.default_detail, _meaning(one))
            for one in sorted(kinds_of(ControllerError), key=_order)
        ),
    )
    media = table(
        ("Code", "Retryable", "What it means"),
        (
            (code(one.code), _yes(one), _meaning(one))
            for one in sorted(kinds_of(IngestError), key=lambda one: one.code)
        ),
    )
    return _HEAD + answered + _MEDIA + media


def import_everything() -> None:
    """So that classes know all that is derived from them."""
    for package in (controller, ingest):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith(_ENTRY_POINTS) and ".migrations." not in module.name:
                import_module(module.name)


def kinds_of(root: Any) -> list[Any]:
    """The class and all below it with a code of their own, one for each code."""
    return [*{one.code: one for one in reversed([*_below([root])])}.values()]


def _below(classes: Iterable[Any]) -> Iterator[Any]:
    for one in classes:
        yield one
        yield from _below(one.__subclasses__())


def _order(error: type[ControllerError]) -> tuple[int, str]:
    return (error.http_status, error.code)


def _yes(error: _Errors) -> str:
    return "yes" if error.retryable else "no"


def _meaning(error: _Errors) -> str:
    return one_line(error.__doc__)
