"""What a host may know and do about a recording."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from controller.api.answers import CamelAnswer
from controller.api.fields import KeepDays
from controller.api.registry import Answer, AnyOperation, Call, Operation
from controller.api.requests import JsonBody, Nothing
from controller.domain.recordings import RecordingService, RecordingState, ShownRecording
from controller.errors import NothingToDelete, NothingToSave, NotYourStream, StreamNotFound

_STATES = (
    "`pending`: no encoder has come yet. `recording`: it is being recorded, or yet to be "
    "published. `ready`: it plays. `off`: the stream is not recorded, nothing of it stays but the "
    "live window. `unsaved`: the stream is not recorded; after its end it can be saved until "
    "`saveUntil`, then it is deleted, and earlier when the disk runs short. `no_space`: there was "
    "no space to record it. `empty`: no media came. `deleted`: it is gone, by the rules or by its "
    "owner."
)


class RecordingAnswer(CamelAnswer):
    """What has become of a stream's recording."""

    stream_id: UUID
    state: RecordingState = Field(description=_STATES)
    vod_url: str | None = Field(description="Null unless it plays.")
    size_bytes: int = Field(description="Of the published media; 0 before.")
    keep_days: int | None = Field(
        description="The stream's own rule: days from the end; 0 for ever; null for the default."
    )
    expires_at: datetime | None = Field(description="When it is deleted; null: not by its age.")
    save_until: datetime | None = Field(description="Until when an unsaved one can be saved.")


class RecordingRule(JsonBody):
    """How long a recording stays."""

    keep_days: KeepDays | None = Field(description="Null for the default.")


class RecordingHandlers:
    """From validated calls to the recordings and back."""

    def __init__(self, service: RecordingService) -> None:
        self._service = service

    async def read(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}/recording."""
        return Answer(_show(await self._service.show(call.caller, call.path["stream_id"])))

    async def save(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /streams/{stream_id}/recording/save."""
        shown = await self._service.save(call.caller, call.path["stream_id"])
        return Answer(_show(shown), message="Recording saved")

    async def keep(self, call: Call[RecordingRule, Nothing]) -> Answer:
        """PATCH /streams/{stream_id}/recording."""
        stream_id = call.path["stream_id"]
        return Answer(_show(await self._service.keep(call.caller, stream_id, call.body.keep_days)))

    async def delete(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /streams/{stream_id}/recording."""
        shown = await self._service.delete(call.caller, call.path["stream_id"])
        return Answer(_show(shown), message="Recording deleted")


def recording_operations(handlers: RecordingHandlers) -> list[AnyOperation]:
    """Every call about a recording."""
    own = (StreamNotFound, NotYourStream)
    path, owner = "/streams/{stream_id}/recording", "The owner, or an administrator"
    return [
        Operation(
            method="GET",
            path=path,
            id="getRecording",
            tag="Recordings",
            summary="Read what has become of the recording",
            who=owner,
            handler=handlers.read,
            answers={200: RecordingAnswer},
            refusals=own,
        ),
        Operation(
            method="PATCH",
            path=path,
            id="keepRecording",
            tag="Recordings",
            summary="Set how long the recording stays",
            who=owner,
            handler=handlers.keep,
            body=RecordingRule,
            answers={200: RecordingAnswer},
            refusals=own,
        ),
        Operation(
            method="POST",
            path=f"{path}/save",
            id="saveRecording",
            tag="Recordings",
            summary="Keep a stream that was not to be recorded, while it can still be saved",
            who="The owner",
            handler=handlers.save,
            answers={200: RecordingAnswer},
            refusals=(*own, NothingToSave),
        ),
        Operation(
            method="DELETE",
            path=path,
            id="deleteRecording",
            tag="Recordings",
            summary="Delete a finished recording for good",
            who=owner,
            handler=handlers.delete,
            answers={200: RecordingAnswer},
            refusals=(*own, NothingToDelete),
        ),
    ]


def _show(shown: ShownRecording) -> RecordingAnswer:
    recording = shown.recording
    is_deleted = recording.state is RecordingState.DELETED
    return RecordingAnswer(
        stream_id=shown.stream.id,
        state=recording.state,
        vod_url=None if is_deleted else shown.stream.vod_url,
        size_bytes=0 if is_deleted else recording.size_bytes,
        keep_days=recording.keep_days,
        expires_at=shown.expires_at,
        save_until=recording.save_until,
    )
