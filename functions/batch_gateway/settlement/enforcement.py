"""Budgets that are passed: who is told, and which running jobs are ended."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple

import msgspec

from batch_gateway import events
from batch_gateway.core.budgets import Ledger, Limit, Window, owners_of, window_of
from batch_gateway.core.jobs import JobRecord
from batch_gateway.core.keys import limit_of_key, limit_of_team
from batch_gateway.core.notifications import OVERRUN, BudgetType, Event, budget_event, overrun_event
from batch_gateway.logs import log
from batch_gateway.ports import KeyStore, Store, Unreadable
from batch_gateway.settlement.deps import Deps

_OK = 200


def passed(
    keys: KeyStore, store: Store, now: datetime, problem: Callable[[str, str], None]
) -> tuple[set[str], list[Event]]:
    """Owners whose budget is spent, and what goes out of it.

    It is said once a window that a budget, or its soft limit, is passed. What is reserved counts towards
    the soft limit only: it may never be spent.

    Args:
        keys: Keys and teams.
        store: The books.
        now: The time.
        problem: Told (what, why) of each key or team that cannot be read.
    """

    def report(record: Unreadable) -> None:
        problem(record.name, record.problem)

    # A rotated key is there twice, with the same budget.
    by_id = {key.key_id: key for key in keys.list_keys(report=report)}
    owners = [
        *(
            _Owner(limit, None, team.team_id)
            for team in keys.list_teams(report=report)
            if (limit := limit_of_team(team))
        ),
        *(_Owner(limit, key.key_id, key.team_id) for key in by_id.values() if (limit := limit_of_key(key))),
    ]
    windows = {owner.limit.owner: window_of(owner.limit.duration, now) for owner in owners}
    ledgers = store.ledgers((name, window.periods) for name, window in windows.items())
    over: set[str] = set()
    said: list[Event] = []
    for owner in owners:
        name = owner.limit.owner
        kinds = _kinds(owner.limit, ledgers[name])
        over |= {name} if "budget.exceeded" in kinds else set()
        found = [owner.event(kind, ledgers[name], windows[name], now) for kind in kinds]
        said += [event for event in found if store.add_event(event)]
    for event in said:
        log("WARNING", "budget passed", event=event.type, **msgspec.json.decode(event.body)["data"])
    return over, said


class _Owner(NamedTuple):
    limit: Limit
    key_id: str | None
    team: str | None

    def event(self, kind: BudgetType, ledger: Ledger, window: Window, now: datetime) -> Event:
        return budget_event(kind, self.limit, ledger, window, now, key_id=self.key_id, team=self.team)


def _kinds(limit: Limit, ledger: Ledger) -> list[BudgetType]:
    kinds: list[BudgetType] = []
    if limit.max_nano is not None and ledger.spent_nano > limit.max_nano:
        kinds.append("budget.exceeded")
    if limit.soft_nano is not None and ledger.spent_nano + ledger.reserved_nano > limit.soft_nano:
        kinds.append("budget.warning")
    return kinds


def note_overrun(job: JobRecord, store: Store, now: datetime) -> Event | None:
    """Say once that a job cost more than was reserved for it.

    Args:
        job: As it stands in the books.
        store: The books.
        now: The time.

    Returns:
        What goes out of it; None if it did not, or if it was said before.
    """
    if not job.overran or job.estimate is None:
        return None
    event = overrun_event(job, now)
    if not store.add_event(event):
        return None
    log(
        "WARNING",
        "job cost more than was reserved for it",
        event=OVERRUN,
        **events.of_job(job),
        cost_usd=events.usd(job.cost.amount_nano),
        reserved_usd=events.usd(job.estimate.high_nano or 0),
        weighed=job.estimate.weighed,
    )
    return event


def act_on(job: JobRecord, over: AbstractSet[str], deps: Deps) -> None:
    """Does to a running job what the configuration says if it costs more than it may.

    That is: the budget that it counts against is passed, or what was reserved for it is.
    """
    owners = over & set(owners_of(job.key_id, job.team))
    if deps.budget_action == "nothing" or not (owners or job.overran):
        return
    fields = {**events.of_job(job), "owners": sorted(owners), "overrun": job.overran}
    if deps.budget_action == "warn":
        log("WARNING", "job runs over budget", event="budget.job_running", **fields)
        return
    answer = deps.upstream.send(
        "POST",
        f"/v1/{job.key.path}:cancel",
        project=job.key.project,
        location=job.key.location,
        body=b"{}",
    )
    done = answer.status == _OK
    log(
        "WARNING" if done else "ERROR",
        "job cancelled over budget" if done else "job not cancelled",
        event="budget.job_cancelled" if done else "budget.cancel_failed",
        http_status=answer.status,
        **fields,
    )
