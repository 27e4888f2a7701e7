"""What a host may know and do about a recording, on both databases."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from controller.domain.recordings import RecordingState
from tests.http.running_api import RunningApi
from tests.support.tokens import person


async def finished(api, stream_id, state, **fields):
    """The media side has finished the stream's recording."""
    stream_id = UUID(stream_id)
    begun = await api.stores.recordings.begin(stream_id, RecordingState.RECORDING)
    done = replace(begun, state=state, finished_at=api.clock.now(), **fields)
    assert await api.stores.recordings.change(done, begun.state)


async def test_the_life_of_a_recording(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    stream_id = await api.live_stream(host)
    path = f"/streams/{stream_id}/recording"
    before = (await api.call("GET", path, host)).data
    assert before == {
        "streamId": stream_id,
        "state": "pending",
        "vodUrl": None,
        "sizeBytes": 0,
        "keepDays": None,
        "expiresAt": None,
        "saveUntil": None,
    }
    await finished(api, stream_id, RecordingState.READY, size_bytes=77)
    await api.stores.streams.set_vod(UUID(stream_id), "https://vod.test/x.m3u8")
    ready = (await api.call("GET", path, host)).data
    assert (ready["state"], ready["sizeBytes"]) == ("ready", 77)
    assert ready["vodUrl"] == "https://vod.test/x.m3u8"
    assert ready["expiresAt"] is not None, "the default is 30 days"
    kept = (await api.call("PATCH", path, host, {"keep_days": 0})).data
    assert (kept["keepDays"], kept["expiresAt"]) == (0, None)
    deleted = await api.call("DELETE", path, host)
    assert (deleted.status, deleted.data["state"], deleted.data["vodUrl"]) == (200, "deleted", None)
    again = await api.call("DELETE", path, host)
    assert (again.status, again.problem["code"]) == (409, "nothing_to_delete")


async def test_what_was_not_to_be_recorded_can_be_saved(both_apis: RunningApi):
    api, host = both_apis, person("seller")
    stream_id = await api.live_stream(host, record_stream=False)
    path = f"/streams/{stream_id}/recording"
    early = await api.call("POST", f"{path}/save", host)
    assert (early.status, early.problem["code"]) == (409, "nothing_to_save")
    until = api.clock.now() + timedelta(hours=2)
    await finished(api, stream_id, RecordingState.UNSAVED, save_until=until)
    unsaved = (await api.call("GET", path, host)).data
    assert unsaved["state"] == "unsaved"
    assert unsaved["saveUntil"] == unsaved["expiresAt"] is not None
    saved = await api.call("POST", f"{path}/save", host)
    assert (saved.status, saved.data["state"], saved.data["saveUntil"]) == (200, "recording", None)


async def test_a_recording_is_its_owners(both_apis: RunningApi):
    api, host, other = both_apis, person("seller"), person("seller")
    stream_id = await api.live_stream(host)
    path = f"/streams/{stream_id}/recording"
    for method, where, body in (
        ("GET", path, None),
        ("PATCH", path, {"keep_days": 1}),
        ("DELETE", path, None),
        ("POST", f"{path}/save", None),
    ):
        assert (await api.call(method, where, other, body)).status == 403
        assert (await api.call(method, where, None, body)).status == 401
    for wrong in ({}, {"keep_days": -1}, {"keep_days": "7"}, {"keep_days": 36_501}):
        assert (await api.call("PATCH", path, host, wrong)).status == 422
