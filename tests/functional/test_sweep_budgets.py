"""Budgets are checked when something has changed, and an idle sweep reads no ledger."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.core.access.keys import KeyRecord, TeamRecord
from batch_gateway.core.access.limits import Budget
from functional import test_settle as settling
from functional.test_reconcile import World, spender
from functional.test_settle import CREATED, NOW, ROW_NANO, row

MINUTE = timedelta(minutes=1)


class Counting(World):
    """Notes which ledgers are read."""

    def __init__(self):
        super().__init__()
        self.read = []
        original = self.store.budget_balances

        def noting(entries):
            wanted = list(entries)
            self.read += [owner for owner, _ in wanted]
            return original(wanted)

        self.store.budget_balances = noting

    def reads_of(self, now):
        """The ledgers that a sweep reads."""
        self.read.clear()
        self.sweep(now=now)
        return self.read


@pytest.fixture
def world():
    return Counting()


def said(capsys):
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line["event"] for line in lines if line.get("event", "").startswith("budget.")]


def with_budget(world, budget, now):
    """The key's budget as the administrator changes it."""
    world.keys.change_key("t", lambda key: msgspec.structs.replace(key, budget=budget, updated_at=now))


def more_rows(world, *rows):
    world.put(settling.lines(*rows))
    world.settle()


def test_an_idle_sweep_reads_no_ledger(world):
    spender(world, max_budget_nano=10 * ROW_NANO)
    for number in range(20):
        budget = Budget(1000, "30d")
        world.keys.add_key(
            KeyRecord(str(number), f"i{number}", "sk-", f"n{number}", CREATED, CREATED, "m", budget=budget)
        )

    assert len(world.reads_of(NOW)) == 21
    assert world.reads_of(NOW + 5 * MINUTE) == []


def test_what_is_spent_is_checked_for_those_who_spent_it(world, capsys):
    spender(world, max_budget_nano=2 * ROW_NANO - 1)
    world.keys.add_key(KeyRecord("2", "k2", "sk-", "other", CREATED, CREATED, "m", budget=Budget(1, "1mo")))
    world.sweep()
    assert said(capsys) == []

    more_rows(world, row(), row())

    assert world.reads_of(NOW + 5 * MINUTE) == ["key:k1"]
    assert said(capsys) == ["budget.exceeded"]


def test_a_budget_that_is_lowered_below_what_is_spent_is_passed(world, capsys):
    spender(world, max_budget_nano=ROW_NANO)
    world.sweep()
    with_budget(world, Budget(ROW_NANO - 1), NOW + MINUTE)

    world.sweep(now=NOW + 5 * MINUTE)

    assert said(capsys) == ["budget.exceeded"]


def test_a_team_whose_budget_is_lowered_is_checked(world, capsys):
    world.keys.change_team("ads", lambda _: TeamRecord("ads", CREATED, CREATED, budget=Budget(ROW_NANO)))
    spender(world)
    world.sweep()
    lowered = TeamRecord("ads", CREATED, NOW + MINUTE, budget=Budget(ROW_NANO - 1))
    world.keys.change_team("ads", lambda _: lowered)

    world.sweep(now=NOW + 5 * MINUTE)

    assert said(capsys) == ["budget.exceeded"]


def test_whoever_is_over_stays_over_without_another_look(world, capsys):
    spender(world, max_budget_nano=ROW_NANO - 1, budget_duration="1mo")
    world.deps = dataclasses.replace(world.deps, budget_action="warn")
    world.sweep()

    assert world.reads_of(NOW + 5 * MINUTE) == []
    assert said(capsys) == ["budget.exceeded", "budget.job_running", "budget.job_running"]


def test_whoever_may_spend_more_is_over_no_more(world, capsys):
    spender(world, max_budget_nano=ROW_NANO - 1, budget_duration="1mo")
    world.deps = dataclasses.replace(world.deps, budget_action="warn")
    world.sweep()
    with_budget(world, Budget(ROW_NANO, "1mo"), NOW + MINUTE)
    capsys.readouterr()

    world.sweep(now=NOW + 5 * MINUTE)

    assert said(capsys) == []


def test_a_new_window_begins_with_nothing_spent(world, capsys):
    spender(world, max_budget_nano=ROW_NANO - 1, budget_duration="1mo")
    world.deps = dataclasses.replace(world.deps, budget_action="warn")
    world.sweep()
    capsys.readouterr()

    assert world.reads_of(datetime(2026, 12, 1, tzinfo=UTC)) == []
    assert said(capsys) == []


def test_what_there_is_no_time_for_is_checked_by_the_next_sweeps(world, capsys, monkeypatch):
    monkeypatch.setattr("batch_gateway.settlement.enforcement._AT_ONCE", 4)
    spender(world, max_budget_nano=ROW_NANO - 1)
    for number in range(10):
        world.keys.add_key(
            KeyRecord(str(number), f"i{number}", "sk-", f"n{number}", CREATED, CREATED, "m", budget=Budget(1))
        )
    counting = world.store.budget_balances

    def slow(entries):
        world.seconds += 100.0
        return counting(entries)

    world.store.budget_balances = slow

    done = [world.sweep(now=NOW + number * 5 * MINUTE) for number in range(4)]

    assert [each.complete for each in done] == [False, False, True, True]
    assert sorted(world.read) == sorted(["key:k1", *(f"key:i{number}" for number in range(10))])
    assert said(capsys) == ["budget.exceeded"]
