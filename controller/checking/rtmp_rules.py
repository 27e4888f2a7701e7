"""The traps of nginx-rtmp, looked for in the configuration of the instance that takes RTMP.

Each was met with nginx-rtmp 1.2; `docs/check.md` gives the reasons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.checking.findings import Finding, fail, warn
from controller.checking.nginx_reader import Directive
from controller.checking.nginx_values import (
    address_of_hook,
    is_local_listen,
    seconds,
    setting,
    size_bytes,
)

SUBJECT = "nginx-rtmp"
_LEAST_NETCALL_S = 6.0
"""golive answers a publish hook within 5 s."""
_DEFAULT_NETCALL_S = 10.0
_LONGEST_IDLE_S = 60.0
_LEAST_MESSAGE_BYTES = 4 << 20
_LEAST_QUEUE = 2048
_CHATTY = frozenset({"info", "debug", "debug_rtmp", "debug_core", "debug_event"})
_PUBLISH_PATHS = ("/hooks/publish", "/api/v1/streams/validate-key")


@dataclass(frozen=True, slots=True)
class RtmpExpectations:
    """What golive's own settings want of nginx.

    hook_listen: `host:port` or `unix:/path`; empty when it is not known (a passed socket).
    spool: where publications are to be recorded; None when they are not.
    """

    hook_listen: str
    spool: Path | None


@dataclass(frozen=True, slots=True)
class Switch:
    """An on/off setting of an application: what it must be, what it is by default, and why."""

    name: str
    wanted: str
    default: str
    why: str
    is_fatal: bool = True


_SWITCHES = (
    Switch("live", "on", "off", "nothing is taken from encoders"),
    Switch("wait_key", "off", "on", "HEVC and AV1 video never reaches golive"),
    Switch("idle_streams", "on", "on", "golive's puller is refused before the first frame"),
    Switch("publish_notify", "on", "off", "a pulled stream hangs when its encoder leaves"),
    Switch("wait_video", "off", "off", "the first audio is lost", is_fatal=False),
    Switch("interleave", "off", "off", "the first audio is lost", is_fatal=False),
    Switch("play_restart", "off", "off", "a pull sees starts that are none", is_fatal=False),
    Switch("hls", "off", "off", "files are named by the secret stream key"),
    Switch("dash", "off", "off", "files are named by the secret stream key"),
)


def rtmp_findings(main: Directive, expected: RtmpExpectations) -> Iterator[Finding]:
    """All that is wrong in a configuration with an `rtmp` block; nothing when all is well."""
    yield from _workers(main)
    for rtmp in main.named("rtmp"):
        yield from _whole(main, rtmp)
        applications = 0
        for server in rtmp.named("server"):
            yield from _listeners(server)
            for application in server.named("application"):
                applications += 1
                yield from _application(application, server, rtmp, expected)
        if not applications:
            yield fail(SUBJECT, f"{rtmp.place} has no application", "Add `application live { … }`.")


def _workers(main: Directive) -> Iterator[Finding]:
    workers = setting([main], "worker_processes")
    if workers is not None and workers.value != "1":
        yield fail(
            SUBJECT,
            f"{workers.place} has {workers.value} workers, and streams are known to one each",
            "Change it to `worker_processes 1;` and restart (do not reload) this nginx.",
        )
    push = setting([main], "rtmp_auto_push")
    if push is not None and push.value == "on":
        yield fail(SUBJECT, f"{push.place}: rtmp_auto_push does not work", "Delete the line.")


def _whole(main: Directive, rtmp: Directive) -> Iterator[Finding]:
    for block in (main, rtmp):
        for log in block.named("error_log"):
            if len(log.words) > 1 and log.words[1] in _CHATTY:
                yield fail(
                    SUBJECT,
                    f"{log.place}: at `{log.words[1]}` the log holds every stream key",
                    f"Change it to `error_log {log.value} notice;`.",
                )
    yield from _access_log(rtmp)
    method = setting([rtmp], "notify_method")
    if method is not None and method.value == "get":
        yield fail(
            SUBJECT,
            f"{method.place}: with GET an encoder can write request headers",
            "Change it to `notify_method post;`.",
        )
    yield from _sizes(rtmp)


def _access_log(rtmp: Directive) -> Iterator[Finding]:
    remedy = "Write `access_log off;` into the rtmp block."
    logs = [each for each in [rtmp, *rtmp.walk()] for each in each.named("access_log")]
    for log in logs:
        if log.value != "off":
            yield fail(SUBJECT, f"{log.place}: the access log holds every stream key", remedy)
    if not any(True for _ in rtmp.named("access_log")):
        yield fail(
            SUBJECT, f"{rtmp.place}: the access log is on, and holds every stream key", remedy
        )


def _sizes(rtmp: Directive) -> Iterator[Finding]:
    message = setting([rtmp], "max_message")
    if message is None or (size_bytes(message.value) or 0) < _LEAST_MESSAGE_BYTES:
        place = message.place if message else rtmp.place
        yield warn(
            SUBJECT,
            f"{place}: encoders with key frames over the limit are cut off",
            "Write `max_message 4M;` into the rtmp block.",
        )
    queue = setting([rtmp], "out_queue")
    if queue is None or not queue.value.isdigit() or int(queue.value) < _LEAST_QUEUE:
        place = queue.place if queue else rtmp.place
        yield warn(
            SUBJECT,
            f"{place}: frames are dropped silently when golive is slow for seconds",
            "Write `out_queue 8192;` into the rtmp block.",
        )


def _listeners(server: Directive) -> Iterator[Finding]:
    for listen in server.named("listen"):
        if listen.value.startswith("unix:"):
            yield fail(
                SUBJECT,
                f"{listen.place}: whoever comes by a unix socket is asked for no stream key",
                "Listen on `127.0.0.1:PORT` instead.",
            )
        elif "proxy_protocol" in listen.words and not is_local_listen(listen.value):
            yield fail(
                SUBJECT,
                f"{listen.place}: strangers may claim any address with the PROXY protocol",
                "Listen on `127.0.0.1:PORT proxy_protocol` instead.",
            )


def _application(
    application: Directive, server: Directive, rtmp: Directive, expected: RtmpExpectations
) -> Iterator[Finding]:
    chain = [application, server, rtmp]
    yield from _switches(chain)
    yield from _publish_hook(chain, expected)
    yield from _dead_peers(chain)
    yield from _players(chain)
    yield from _other_hooks(chain)
    yield from _recorder(application, expected)


def _switches(chain: Sequence[Directive]) -> Iterator[Finding]:
    for switch in _SWITCHES:
        found = setting(chain, switch.name)
        if (found.value if found else switch.default) == switch.wanted:
            continue
        place = found.place if found else f"{chain[0].place} (by default)"
        tell = fail if switch.is_fatal else warn
        yield tell(
            SUBJECT,
            f"{place}: {switch.name} is {found.value if found else switch.default}, "
            f"so that {switch.why}",
            f"Write `{switch.name} {switch.wanted};` into the application.",
        )


def _publish_hook(chain: Sequence[Directive], expected: RtmpExpectations) -> Iterator[Finding]:
    hook = setting(chain, "on_publish")
    if hook is None:
        where = expected.hook_listen or "HOST:PORT"
        colon = ":" if where.startswith("unix:") else ""
        yield fail(
            SUBJECT,
            f"{chain[0].place}: no on_publish, so that anybody may publish",
            f"Add `on_publish http://{where}{colon}/hooks/publish;`.",
        )
    elif not _calls_golive(hook.value, expected.hook_listen):
        yield fail(
            SUBJECT,
            f"{hook.place}: on_publish does not call golive's hook listener",
            f"Let it call `/hooks/publish` on {expected.hook_listen or 'the hook listener'}, "
            "or set GOLIVE_HOOK_LISTEN to the address in it.",
        )
    limit = setting(chain, "netcall_timeout")
    limit_s = seconds(limit.value) if limit else _DEFAULT_NETCALL_S
    if limit_s is None or limit_s < _LEAST_NETCALL_S:
        yield fail(
            SUBJECT,
            f"{(limit or chain[0]).place}: hooks that take {limit_s or 0:g} s refuse the encoder, "
            "and golive may need 5",
            "Change it to `netcall_timeout 8s;`.",
        )


def _calls_golive(url: str, hook_listen: str) -> bool:
    is_there = not hook_listen or address_of_hook(url) == hook_listen
    return is_there and url.endswith(_PUBLISH_PATHS)


def _dead_peers(chain: Sequence[Directive]) -> Iterator[Finding]:
    idle = setting(chain, "drop_idle_publisher")
    idle_s = seconds(idle.value) if idle else None
    if not idle_s:
        yield fail(
            SUBJECT,
            f"{(idle or chain[0]).place}: an encoder whose network vanished stays for ever",
            "Write `drop_idle_publisher 10s;` into the application.",
        )
    elif idle_s > _LONGEST_IDLE_S:
        yield warn(
            SUBJECT,
            f"{(idle or chain[0]).place}: an encoder that vanished stays for {idle_s:g} s",
            "Change it to `drop_idle_publisher 10s;`.",
        )


def _players(chain: Sequence[Directive]) -> Iterator[Finding]:
    rules = [rule for rule in chain[0].block if rule.name in {"allow", "deny"}]
    denied = any(r.name == "deny" and r.words in {("play", "all"), ("all",)} for r in rules)
    if not denied:
        yield fail(
            SUBJECT,
            f"{chain[0].place}: anybody may play streams past their audience",
            "Write `allow play 127.0.0.1;` and `deny play all;` into the application.",
        )


def _other_hooks(chain: Sequence[Directive]) -> Iterator[Finding]:
    update = setting(chain, "on_update")
    if update is not None:
        yield fail(
            SUBJECT,
            f"{update.place}: on_update ends every publisher while golive restarts",
            "Delete the line: golive does not need it.",
        )
    buffer = setting(chain, "buffer")
    if buffer is not None:
        yield warn(SUBJECT, f"{buffer.place}: buffer only adds latency", "Delete the line.")


def _recorder(application: Directive, expected: RtmpExpectations) -> Iterator[Finding]:
    if expected.spool is None:
        return
    for recorder in application.named("recorder"):
        path = setting([recorder], "record_path")
        if path is None or Path(path.value) != expected.spool:
            continue
        for name, wanted in (("record", "all"), ("record_lock", "on"), ("record_suffix", ".flv")):
            found = setting([recorder], name)
            if found is None or found.value != wanted:
                yield fail(
                    SUBJECT,
                    f"{(found or recorder).place}: the spool is not recorded as golive reads it",
                    f"Write `{name} {wanted};` into the recorder.",
                )
        return
    yield fail(
        SUBJECT,
        f"{application.place}: nothing is recorded into the spool {expected.spool}",
        f"Add `recorder spool {{ record all; record_path {expected.spool}; record_suffix .flv; "
        "record_lock on; }`, or set GOLIVE_SPOOL=false.",
    )
