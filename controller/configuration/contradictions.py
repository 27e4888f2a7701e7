"""Settings that are right one by one and wrong together. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from controller.secrets_file import LEAST_BYTES
from controller.settings import Settings

_SYMMETRIC = "HS256"


@dataclass(frozen=True, slots=True)
class Contradiction:
    """`settings` name who disagree, the one to change first."""

    settings: tuple[str, ...]
    message: str


def contradictions(settings: Settings) -> list[Contradiction]:
    """All that are found."""
    return [*_tokens(settings), *_objects(settings), *_media(settings), *_listeners(settings)]


def _tokens(settings: Settings) -> Iterator[Contradiction]:
    shared = settings.auth_algorithm == _SYMMETRIC
    key_file = settings.auth_public_key_file is not None
    if settings.auth_jwks_url and key_file:
        yield Contradiction(
            ("auth_public_key_file", "auth_jwks_url"), "give one of the two issuer's keys, not both"
        )
    for name, given in (
        ("auth_jwks_url", bool(settings.auth_jwks_url)),
        ("auth_public_key_file", key_file),
    ):
        if given and shared:
            yield Contradiction(
                ("auth_algorithm", name), f"{_SYMMETRIC} is for a shared secret, not for {name}"
            )
    if not shared and not settings.auth_jwks_url and not key_file:
        yield Contradiction(
            ("auth_algorithm",),
            f"{settings.auth_algorithm} needs auth_jwks_url or auth_public_key_file",
        )
    for name in ("auth_secret", "key_secret"):
        value = getattr(settings, name).get_secret_value()
        if value and len(value.encode()) < LEAST_BYTES:
            yield Contradiction((name,), f"must have {LEAST_BYTES} bytes or more")


def _objects(settings: Settings) -> Iterator[Contradiction]:
    in_bucket = settings.store_url.startswith("s3://")
    keys = {
        name: bool(getattr(settings, name).get_secret_value())
        for name in ("s3_access_key_id", "s3_secret_access_key")
    }
    for name, given in keys.items():
        if in_bucket and not given:
            yield Contradiction(("store_url",), f"a bucket needs {name}")
    if settings.private_store_url and settings.private_store_url == settings.store_url:
        yield Contradiction(("private_store_url", "store_url"), "must be another place than that")
    if settings.private_store_url and not in_bucket:
        yield Contradiction(
            ("private_store_url", "store_url"), "is of use only when store_url is a bucket, too"
        )


def _media(settings: Settings) -> Iterator[Contradiction]:
    if settings.part_target_s > settings.segment_target_s:
        yield Contradiction(
            ("part_target_s", "segment_target_s"), "a part cannot be longer than its segment"
        )
    if settings.clip_longest_exact_s > settings.clip_longest_s:
        yield Contradiction(
            ("clip_longest_exact_s", "clip_longest_s"), "cannot be more than clip_longest_s"
        )
    budget = settings.session_budget
    if 0 < budget < settings.session_cost_passthrough:
        yield Contradiction(
            ("session_budget", "session_cost_passthrough"), "not even one encoder fits into it"
        )


def _listeners(settings: Settings) -> Iterator[Contradiction]:
    seen: dict[str, str] = {}
    for name in ("http_listen", "hook_listen", "metrics_listen", "nginx_control"):
        address = getattr(settings, name).removeprefix("http://")
        if not address:
            continue
        if address in seen:
            yield Contradiction((name, seen[address]), f"{seen[address]} has the same address")
        seen[address] = name
