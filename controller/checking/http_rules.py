"""What an HTTP configuration of nginx must not do in front of golive."""

import re
from collections.abc import Iterator, Sequence

from controller.checking.findings import Finding, fail, warn
from controller.checking.nginx_reader import Directive
from controller.checking.nginx_values import address_of_hook, is_local_listen, setting

SUBJECT = "nginx-http"
_OLD_TLS = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.1"})
_TELLING = re.compile(r"\$(?:request|request_uri|args|query_string|arg_\w+|http_authorization)\b")
_COMBINED = "combined"
_OWN_SOCKET = "syslog:server=unix:"
"""The daemon reads what players tell of their playback from there; nothing of it is kept."""
_CLOSED = frozenset({"rtmp_stat", "rtmp_control"})


def http_findings(main: Directive, hook_listen: str) -> Iterator[Finding]:
    """Everything that is wrong in the `http` blocks; nothing when all is well."""
    for http in main.named("http"):
        yield from _logs(http)
        yield from _cache_locks(http)
        upstreams = _upstreams(http)
        for server in http.named("server"):
            yield from _tls(server, http)
            if not _is_open(server):
                continue
            yield from _open_controls(server)
            yield from _open_hooks(server, upstreams, hook_listen)


def _is_open(server: Directive) -> bool:
    """Whether others than this host reach it; without a `listen` nginx takes port 80."""
    addresses = [listen.value for listen in server.named("listen")] or ["80"]
    return not all(map(is_local_listen, addresses))


def _paths_to(
    block: Directive, chain: tuple[Directive, ...] = ()
) -> Iterator[tuple[Directive, ...]]:
    """Each directive below `block` with what it stands in, innermost first."""
    for inner in block.block:
        yield (inner, block, *chain)
        yield from _paths_to(inner, (block, *chain))


def _is_guarded(blocks: Sequence[Directive]) -> bool:
    """Whether a `deny all` holds there, after what is allowed."""
    return any(rule.value == "all" for block in blocks for rule in block.named("deny")) or any(
        True for block in blocks for _ in block.named("internal")
    )


def _open_controls(server: Directive) -> Iterator[Finding]:
    for directive, *blocks in _paths_to(server):
        if directive.name in _CLOSED and not _is_guarded(blocks):
            what = "ends publishers" if directive.name == "rtmp_control" else "lists them"
            yield fail(
                SUBJECT,
                f"{directive.place}: {directive.name} answers strangers, and {what}",
                "Move it into a server that has `listen 127.0.0.1:PORT;` or a unix socket.",
            )


def _open_hooks(
    server: Directive, upstreams: dict[str, tuple[str, ...]], hook_listen: str
) -> Iterator[Finding]:
    for directive, *blocks in _paths_to(server):
        if directive.name != "proxy_pass" or _is_guarded(blocks):
            continue
        target = address_of_hook(directive.value)
        if hook_listen in upstreams.get(target, (target,)):
            yield fail(
                SUBJECT,
                f"{directive.place}: strangers reach golive's hook listener and its metrics",
                "Proxy to GOLIVE_HTTP_LISTEN here; hooks and /metrics stay on this host.",
            )


def _upstreams(http: Directive) -> dict[str, tuple[str, ...]]:
    return {
        upstream.value: tuple(server.value for server in upstream.named("server"))
        for upstream in http.named("upstream")
    }


def _logs(http: Directive) -> Iterator[Finding]:
    formats = {log.value: " ".join(log.words[1:]) for log in http.named("log_format")}
    told: set[str] = set()
    found = [chain[0] for chain in _paths_to(http) if chain[0].name == "access_log"]
    for log in found:
        if log.value == "off" or log.value.startswith(_OWN_SOCKET):
            continue
        name = log.words[1] if len(log.words) > 1 else _COMBINED
        if name in told:
            continue
        told.add(name)  # once, however many logs have this format
        text = formats.get(name, "$request" if name == _COMBINED else "")
        if _TELLING.search(text):
            yield fail(
                SUBJECT,
                f"{log.place}: the access log (`{name}`) holds tokens that stand in addresses",
                "Use a log_format without $request, $request_uri and $args, or `access_log off;`.",
            )
    if not any(True for _ in http.named("access_log")):
        yield fail(
            SUBJECT,
            f"{http.place}: the access log is on by default, and holds tokens",
            "Use a log_format without $request, $request_uri and $args, or `access_log off;`.",
        )


def _cache_locks(http: Directive) -> Iterator[Finding]:
    for chain in _paths_to(http):
        if chain[0].name == "proxy_cache_lock" and chain[0].value == "on":
            yield warn(
                SUBJECT,
                f"{chain[0].place}: players that wait for a playlist are polled every 500 ms",
                "Change it to `proxy_cache_lock off;`.",
            )


def _tls(server: Directive, http: Directive) -> Iterator[Finding]:
    if not any("ssl" in listen.words for listen in server.named("listen")):
        return
    protocols = setting([server, http], "ssl_protocols")
    old = sorted(_OLD_TLS & set(protocols.words)) if protocols else ["TLSv1", "TLSv1.1"]
    if old:
        yield warn(
            SUBJECT,
            f"{(protocols or server).place}: {' and '.join(old)} can be broken",
            "Change it to `ssl_protocols TLSv1.2 TLSv1.3;`.",
        )


def certificates(main: Directive) -> Iterator[tuple[Directive, Directive]]:
    """Each certificate with the key that stands beside it, of HTTP and of stream servers.

    A name from a `map` is the map's default.
    """
    defaults = {
        directive.words[-1]: default
        for directive in main.walk()
        if directive.name == "map"
        for default in directive.named("default")
    }
    for block in [main, *main.walk()]:
        found = setting([block], "ssl_certificate"), setting([block], "ssl_certificate_key")
        certificate, key = (each and defaults.get(each.value, each) for each in found)
        if certificate is not None and key is not None:
            yield certificate, key
