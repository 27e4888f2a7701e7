"""What can go wrong in the media plane.

IngestError
├── SourceError
│   ├── SourceUnavailable     the publication cannot be opened (retryable)
│   └── UnsupportedMedia      a codec or a track layout that cannot be packaged
├── AnsweredError             what clients are refused with: delivery's problems, WebRTC's refusals
├── SpoolFull                 nginx-rtmp would soon have no space to record into
├── MediaRefused              an upload that cannot be processed; names the reason and the field
├── FilesMissing             a recording's files are not where they should be, yet (retryable)
├── TaskTooExpensive          a media task reached its limit of time or memory
├── TaskCrashed               a media task's process ended without an answer
├── MalformedMedia            bytes that break the rules of their format
├── JournalCorrupt            a journal line before the last one cannot be read
├── OverBudget                one session more than the machine is to carry (retryable)
├── LedgerUnavailable         the upload ledger cannot be read or written (retryable)
├── ObjectStoreError          an object could not be stored or read (retryable)
│   └── ObjectStoreRefused    nor will it be: a wrong key, a missing bucket, an object too large
└── IllegalTransition         a session was asked to take a step that its state forbids
"""

from typing import ClassVar


class IngestError(Exception):
    """Root of the tree; `code` is stable and machine-readable, `retryable` tells a supervisor."""

    code: ClassVar[str] = "ingest_error"
    retryable: ClassVar[bool] = False


class AnsweredError(IngestError):
    """What a client of the media plane is refused with; `status` is HTTP's."""

    code = "refused"
    status: ClassVar[int] = 400


class SourceError(IngestError):
    """The encoder's media cannot be read."""

    code = "source_error"


class SourceUnavailable(SourceError):
    """The publication could not be opened or the connection to it was lost."""

    code = "source_unavailable"
    retryable = True


class UnsupportedMedia(SourceError):
    """A codec or a track layout that the packager has no words for."""

    code = "unsupported_media"


class SpoolFull(IngestError):
    """nginx-rtmp would soon have no space to record the publication into: it must end before."""

    code = "spool_full"


class MalformedMedia(IngestError):
    """Bytes that break the rules of their format."""

    code = "malformed_media"


class MediaRefused(IngestError):
    """An upload that cannot be processed: `reason` is stable, `field` names what is wrong."""

    code = "media_refused"

    def __init__(self, reason: str, field: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.field = field


class FilesMissing(IngestError):
    """Files of a recording are not on the store: not yet, or not any more."""

    code = "files_missing"
    retryable = True


class TaskTooExpensive(IngestError):
    """A media task was ended because it reached a limit."""

    code = "media_too_expensive"


class TaskCrashed(IngestError):
    """A media task's process ended without an answer; `passing`: not through a fault of its own."""

    code = "media_task_crashed"

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing


class JournalCorrupt(IngestError):
    """A journal line before the last one cannot be read; the message names file and line."""

    code = "journal_corrupt"


class ObjectStoreError(IngestError):
    """An object could not be stored or read."""

    code = "object_store_error"
    retryable = True

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        """How long the store asks to be left alone; 0 when it does not say."""


class ObjectStoreRefused(ObjectStoreError):
    """The store answered, and will answer the same again until somebody changes something."""

    code = "object_store_refused"
    retryable = False


class LedgerUnavailable(IngestError):
    """The upload ledger cannot be read or written now: a full disk, mostly."""

    code = "ledger_unavailable"
    retryable = True


class OverBudget(IngestError):
    """One session more than the budget allows; the message tells the figures."""

    code = "over_budget"
    retryable = True


class IllegalTransition(IngestError):
    """A session was asked to take a step that its state forbids."""

    code = "illegal_transition"
