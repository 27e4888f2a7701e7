"""Failures are slowed down per source, in bounded memory."""

import pytest

from controller.auth.failure_limit import FailureAllowance, FailureLimiter, network_of
from controller.errors import TooManyFailures


class Ticker:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def failures(limiter, address, most=100):
    """How many failures pass before the source is told to wait."""
    for number in range(most):
        try:
            limiter.failed(address)
        except TooManyFailures:
            return number
    return most


def test_a_burst_passes_then_the_source_waits():
    ticker = Ticker()
    limiter = FailureLimiter(FailureAllowance(burst=5, per_minute=6), ticker)
    assert failures(limiter, "192.0.2.1") == 5
    with pytest.raises(TooManyFailures) as caught:
        limiter.failed("192.0.2.1")
    assert caught.value.retry_after_s == 10
    assert failures(limiter, "192.0.2.2") == 5
    ticker.now += 10
    assert failures(limiter, "192.0.2.1") == 1
    ticker.now += 1000
    assert failures(limiter, "192.0.2.1") == 5


def test_who_keeps_trying_waits_no_longer():
    ticker = Ticker()
    limiter = FailureLimiter(FailureAllowance(burst=1, per_minute=60), ticker)
    limiter.failed("192.0.2.1")
    for _attempt in range(50):
        with pytest.raises(TooManyFailures):
            limiter.failed("192.0.2.1")
    ticker.now += 1
    limiter.failed("192.0.2.1")


def test_a_customer_with_a_whole_ipv6_network_is_one_source():
    limiter = FailureLimiter(FailureAllowance(burst=3), Ticker())
    passed = sum(failures(limiter, f"2001:db8::{number:x}", 1) for number in range(1, 50))
    assert passed == 3
    assert failures(limiter, "2001:db8:0:1::1") == 3


def test_the_longest_quiet_source_is_forgotten_first():
    limiter = FailureLimiter(FailureAllowance(burst=1, sources=3), Ticker())
    for number in range(1, 5):
        limiter.failed(f"192.0.2.{number}")
    limiter.failed("192.0.2.1")  # forgotten: may fail again
    with pytest.raises(TooManyFailures):
        limiter.failed("192.0.2.4")


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("unix", "unix"),
    ],
)
def test_addresses_are_grouped(address, network):
    assert network_of(address) == network
