"""The administrators' commands against a running server and its database."""

import asyncio

import pytest
from click.testing import CliRunner

from controller.cli import main
from tests.http.running_api import RunningApi, run_api
from tests.support.tokens import SECRET, person


@pytest.fixture
async def server(sqlite_factory, monkeypatch, tmp_path):
    """A running API, and `golive …` for its installation."""
    url = await sqlite_factory.fresh()
    async with run_api(url) as api:
        monkeypatch.setenv("GOLIVE_DATA_DIR", str(tmp_path))
        monkeypatch.setenv("GOLIVE_DATABASE_URL", url)
        monkeypatch.setenv("GOLIVE_AUTH_SECRET", SECRET)
        monkeypatch.setenv("GOLIVE_HTTP_LISTEN", api.base.removeprefix("http://"))
        monkeypatch.setenv("GOLIVE_LOG_FORMAT", "json")
        yield api


async def golive(*words: str, status: int = 0) -> str:
    """Standard output, or for a failure standard error, of a command in a thread of its own."""
    done = await asyncio.to_thread(CliRunner().invoke, main, words)
    assert done.exit_code == status, done.output
    return done.stderr if status else done.stdout


async def test_a_live_stream_is_ended_through_the_server(server: RunningApi):
    stream_id = await server.live_stream(person("seller"))
    assert (await golive("stream", "end", stream_id)).startswith("ended after ")
    assert [str(ended) for ended in server.publishing.ended] == [stream_id]
    assert "Stream is not live" in await golive("stream", "end", stream_id, status=1)
    shown = await golive("stream", "show", stream_id)
    assert "administrator" in shown
    assert "sk_" not in shown


async def test_streams_are_listed_and_cancelled(server: RunningApi):
    host = person("seller", "hannah")
    live = await server.live_stream(host, audience="followers")
    scheduled = await server.stream(host, title="Bowls")
    other = await server.stream(person("seller"))
    listed = await golive("stream", "list")
    assert [line.split("\t")[0] for line in listed.splitlines()] == [other, scheduled, live]
    assert f"{scheduled}\tscheduled\tidle\thannah\tBowls" in listed
    by_status = await golive("stream", "list", "--status", "live")
    assert by_status.split("\t")[0] == live
    by_host = await golive("stream", "list", "--user", "hannah")
    assert other not in by_host
    assert await golive("stream", "cancel", scheduled) == "cancelled\n"
    assert "must be in scheduled status" in await golive("stream", "cancel", live, status=1)


async def test_a_printed_token_is_accepted_by_the_server(server: RunningApi):
    token = (await golive("token", "alice", "--role", "seller")).strip()
    headers = {"Authorization": f"Bearer {token}"}
    profile = await server.call("GET", "/users/me", headers=headers)
    assert (profile.data["username"], profile.data["role"]) == ("alice", "seller")
