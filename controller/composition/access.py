"""Who is calling, and who may play: tokens, keys and their secrets."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

import aiohttp

from controller.auth.authenticator import Authenticator
from controller.auth.bearer import BearerTokens, TokenRules
from controller.auth.failure_limit import FailureAllowance, FailureLimiter
from controller.auth.jwks_client import JwksClient
from controller.auth.playback import PlaybackGate, PlaybackTokens
from controller.auth.playback_facts import RememberedFacts
from controller.auth.stream_keys import StreamKeys, StreamKeyVault
from controller.auth.verification_keys import ConfiguredKey, JwksKeys, VerificationKeys
from controller.domain.access import PlaybackFacts
from controller.domain.ports import Clock
from controller.domain.rehearsals import is_rehearsal
from controller.secrets_file import Secrets, load_secrets
from controller.settings import Settings
from controller.stores.opening import Stores


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that says yes or no to a caller."""

    secrets: Secrets
    authenticator: Authenticator
    stream_keys: StreamKeys
    playback_tokens: PlaybackTokens
    playback_gate: PlaybackGate
    failures: FailureLimiter


async def build_access(
    settings: Settings, stores: Stores, clock: Clock, stack: AsyncExitStack
) -> Access:
    """From the configured secrets, or those of the data folder; ConfigurationError."""
    secrets = load_secrets(
        settings.data_dir,
        settings.auth_secret.get_secret_value(),
        settings.key_secret.get_secret_value(),
    )
    rules = TokenRules(
        algorithm=settings.auth_algorithm,
        leeway_s=settings.auth_leeway_s,
        audience=settings.auth_audience,
        issuer=settings.auth_issuer,
    )
    tokens = BearerTokens(rules, await _token_keys(settings, secrets, stack))
    allowance = FailureAllowance.a_minute(settings.failures_per_minute)
    failures = FailureLimiter(allowance, time.monotonic)
    playback = PlaybackTokens(secrets.keys, settings.playback_token_ttl_s, clock)
    facts = RememberedFacts(facts_from(stores), time.monotonic)
    stack.push_async_callback(facts.close)
    return Access(
        secrets=secrets,
        authenticator=Authenticator(tokens, stores.users, failures),
        stream_keys=StreamKeys(StreamKeyVault(secrets.keys), stores.keys),
        playback_tokens=playback,
        playback_gate=PlaybackGate(facts.get, playback),
        failures=failures,
    )


def facts_from(stores: Stores) -> Callable[[UUID], Awaitable[PlaybackFacts | None]]:
    """What decides about the media of streams and of rehearsals."""

    async def facts(media_id: UUID) -> PlaybackFacts | None:
        if is_rehearsal(media_id):
            return await stores.rehearsals.playback_facts(media_id)
        return await stores.streams.playback_facts(media_id)

    return facts


async def _token_keys(
    settings: Settings, secrets: Secrets, stack: AsyncExitStack
) -> VerificationKeys:
    """The issuer's published keys, its configured public key, or the shared secret."""
    if settings.auth_jwks_url:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        fetch = JwksClient(session, settings.auth_jwks_url)
        return JwksKeys(fetch, settings.auth_algorithm, time.monotonic)
    if settings.auth_public_key_file is not None:
        pem = await asyncio.to_thread(settings.auth_public_key_file.read_bytes)
        return ConfiguredKey(pem, settings.auth_algorithm)
    return ConfiguredKey(secrets.auth, settings.auth_algorithm)
