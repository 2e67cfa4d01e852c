"""Find exceeded budgets, announce them, and act on running jobs."""

from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from batch_gateway import log_events
from batch_gateway.core.access.keys import KeyRecord, TeamRecord, budget_of_key, budget_of_team
from batch_gateway.core.accounting.budgets import BudgetBalance, OwnedBudget, Window, owners_of, window_of
from batch_gateway.core.jobs.record import JobRecord
from batch_gateway.core.notify.event_names import BudgetEvent
from batch_gateway.core.notify.events import OVERRUN, Event, budget_event, overrun_event
from batch_gateway.logs import log
from batch_gateway.ports import BudgetNotes, Outbox, Unreadable
from batch_gateway.settlement.deps import SettlementDeps
from batch_gateway.settlement.sweep_progress import Progress

_OK = 200
_AT_ONCE = 50
"""Owners whose balances are read at once: 8 documents for each month of their windows, or 16 for days."""
_CLOCK_SKEW = timedelta(minutes=2)
"""Tolerance for differences between the clocks of instances."""


def check_budgets(deps: SettlementDeps, progress: Progress, now: datetime) -> AbstractSet[str]:
    """Find the exceeded budgets, and announce each once a window.

    Only owners are checked whose balance, key or team has changed since the last sweep: an exceeded budget
    stays so until its window ends, and a new window begins empty. Reservations count towards the soft limit
    only, since they may never be spent.

    Args:
        deps: The ports.
        progress: Progress of the sweep; owners that there is no time for are left to the next one.
        now: The current time.

    Returns:
        Owners whose budget is exceeded.
    """
    notes = progress.notes.budgets
    spenders, mark = deps.store.changed_owners(notes.ledgers)
    since = notes.records and notes.records - _CLOCK_SKEW
    changed = deps.keys.changed_owners(
        since, report=lambda each: progress.report_problem(each.name, each.problem)
    )
    due = [*notes.due, *sorted((spenders | changed) - set(notes.due))]
    exceeded = {owner: reset for owner, reset in notes.over.items() if reset is None or reset > now}
    while due and not progress.is_late():
        some, due = due[:_AT_ONCE], due[_AT_ONCE:]
        exceeded = {owner: reset for owner, reset in exceeded.items() if owner not in some}
        exceeded |= _check_owners(some, deps, progress, now)
    progress.update_notes(budgets=BudgetNotes(mark, now, tuple(due), exceeded))
    return exceeded.keys()


def _check_owners(
    owners: list[str], deps: SettlementDeps, progress: Progress, now: datetime
) -> dict[str, datetime | None]:
    """Check some owners; return those whose budget is exceeded, with the time when it resets."""

    def report(record: Unreadable) -> None:
        progress.report_problem(record.name, record.problem)

    # A key that is being rotated has two records with the same budget.
    by_name = {
        owner.limit.owner: owner
        for record in deps.keys.find_owners(owners, report=report)
        if (owner := _to_owner(record))
    }
    windows = {name: window_of(owner.limit.duration, now) for name, owner in by_name.items()}
    ledgers = deps.store.budget_balances((name, window.periods) for name, window in windows.items())
    exceeded: dict[str, datetime | None] = {}
    for name, owner in by_name.items():
        kinds = _exceeded_limits(owner.limit, ledgers[name])
        if "budget.exceeded" in kinds:
            exceeded[name] = windows[name].reset
        for kind in kinds:
            event = owner.event(kind, ledgers[name], windows[name], now)
            if deps.store.add_event(event):
                progress.queue_event(event)
                data = msgspec.json.decode(event.body)["data"]
                log("WARNING", "budget passed", event=kind, **data)
    return exceeded


def _to_owner(record: KeyRecord | TeamRecord) -> "_Owner | None":
    if isinstance(record, TeamRecord):
        limit = budget_of_team(record)
        return _Owner(limit, None, record.team_id) if limit else None
    limit = budget_of_key(record)
    return _Owner(limit, record.key_id, record.team_id) if limit else None


class _Owner(NamedTuple):
    limit: OwnedBudget
    key_id: str | None
    team: str | None

    def event(self, kind: BudgetEvent, ledger: BudgetBalance, window: Window, now: datetime) -> Event:
        return budget_event(kind, self.limit, ledger, window, now, key_id=self.key_id, team=self.team)


def _exceeded_limits(limit: OwnedBudget, ledger: BudgetBalance) -> list[BudgetEvent]:
    kinds: list[BudgetEvent] = []
    if limit.max_nano is not None and ledger.spent_nano > limit.max_nano:
        kinds.append("budget.exceeded")
    if limit.soft_nano is not None and ledger.spent_nano + ledger.reserved_nano > limit.soft_nano:
        kinds.append("budget.warning")
    return kinds


def note_overrun(job: JobRecord, outbox: Outbox, now: datetime) -> Event | None:
    """Announce once that a job cost more than was reserved for it.

    Args:
        job: The job's record, up to date.
        outbox: Takes the event.
        now: The current time.

    Returns:
        The event to send; None if the job did not, or if that was announced before.
    """
    if not job.overran or job.estimate is None:
        return None
    event = overrun_event(job, now)
    if not outbox.add_event(event):
        return None
    log(
        "WARNING",
        "job cost more than was reserved for it",
        event=OVERRUN,
        **log_events.job_fields(job),
        cost_usd=log_events.usd(job.cost.amount_nano),
        reserved_usd=log_events.usd(job.estimate.high_nano or 0),
        weighed=job.estimate.weighed,
    )
    return event


def apply_budget_action(job: JobRecord, exceeded: AbstractSet[str], deps: SettlementDeps) -> None:
    """Warn about a running job or cancel it, as configured, if it exceeds a budget or its reservation."""
    owners = exceeded & set(owners_of(job.key_id, job.team))
    if deps.budget_action == "nothing" or not (owners or job.overran):
        return
    fields = {**log_events.job_fields(job), "owners": sorted(owners), "overrun": job.overran}
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
