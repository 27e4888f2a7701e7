"""Pauses grow, the budget ends, and old crashes are forgotten."""

from controller.dev.restarts import RestartBudget, RestartPolicy

POLICY = RestartPolicy(budget=4, window_s=60, first_pause_s=0.2, longest_pause_s=1.0)


def test_pauses_double_up_to_the_longest_until_the_budget_is_used_up():
    budget = RestartBudget(POLICY)

    assert [budget.next_pause_s(0.1 * n) for n in range(5)] == [0.2, 0.4, 0.8, 1.0, None]


def test_a_run_that_was_healthy_is_replaced_at_once_and_forgives_what_was_before():
    budget = RestartBudget(POLICY)
    for now_s in (0.0, 1.0, 2.0, 3.0):
        budget.next_pause_s(now_s)

    assert budget.next_pause_s(8.0, lived_s=5.0) == 0.0
    assert budget.next_pause_s(8.1, lived_s=0.1) == 0.2


def test_crashes_long_ago_do_not_count():
    budget = RestartBudget(POLICY)
    for now_s in (0.0, 1.0, 2.0, 3.0):
        budget.next_pause_s(now_s)

    assert budget.next_pause_s(30.0) is None
    assert budget.next_pause_s(60.5) == 1.0
    assert budget.next_pause_s(500.0) == 0.2
