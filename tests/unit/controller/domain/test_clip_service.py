"""What is told of derived media while they are made."""

from uuid import uuid4

from controller.domain.clip_service import ClipService
from controller.domain.derived import RecordingWork
from controller.domain.jobs import JobState


class JustDone:
    """Stores of which the work ends between two looks at them."""

    def __init__(self):
        self.is_done = False

    async def recording(self, _stream_id):
        self.is_done = True
        return RecordingWork(JobState.DONE, 100, None, None)

    async def get(self, _stream_id):
        return "with addresses" if self.is_done else "without addresses"

    async def require_audience(self, _stream, _caller):
        return None


async def test_a_stream_whose_media_are_done_has_their_addresses():
    stores = JustDone()
    service = ClipService(stores, stores, stores, None, None, None, None, None)
    stream, work = await service.media(None, uuid4())
    assert (stream, work.state) == ("with addresses", JobState.DONE)
