"""Which encoders are let in, and whereto."""

import time

from controller.auth.failure_limit import FailureAllowance, FailureLimiter
from controller.composition.access import Access
from controller.composition.media import MediaPlane
from controller.publishing.publish_service import PublishService, Stage
from controller.settings import Settings


def build_admission(
    settings: Settings, access: Access, media: MediaPlane, on_air: Stage, rehearsing: Stage
) -> tuple[PublishService, FailureLimiter]:
    """The decisions behind the hooks, and what counts wrong stream keys."""
    allowance = FailureAllowance.a_minute(settings.failures_per_minute)
    guesses = FailureLimiter(allowance, time.monotonic)
    publishing = PublishService(access.stream_keys, on_air, rehearsing, guesses, media.space)
    return publishing, guesses
