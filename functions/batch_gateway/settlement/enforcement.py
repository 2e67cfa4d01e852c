"""Budgets that are passed: who is told, and which running jobs are ended."""

from collections.abc import Sequence
from datetime import datetime

from batch_gateway import events
from batch_gateway.core.budgets import Ledger, Limit, Window, owners_of, window_of
from batch_gateway.core.jobs import JobRecord
from batch_gateway.core.keys import limit_of_key, limit_of_team
from batch_gateway.logs import log
from batch_gateway.ports import KeyStore, Store
from batch_gateway.settlement.deps import Deps

_OK = 200


def passed(keys: KeyStore, store: Store, now: datetime) -> set[str]:
    """Owners whose budget is spent.

    Says once a window that a budget, or its soft limit, is passed. What is reserved counts towards the
    soft limit only: it may never be spent.
    """
    limits = [limit_of_team(team) for team in keys.list_teams()]
    # A rotated key may be there twice, with the same budget.
    by_id = {key.key_id: key for key in keys.list_keys()}
    limits += [limit_of_key(key) for key in by_id.values()]
    return _passed([limit for limit in limits if limit], store, now)


def _passed(limits: Sequence[Limit], store: Store, now: datetime) -> set[str]:
    windows = {limit.owner: window_of(limit.duration, now) for limit in limits}
    ledgers = store.ledgers((owner, window.periods) for owner, window in windows.items())
    over = set()
    for limit in limits:
        ledger, window = ledgers[limit.owner], windows[limit.owner]
        if limit.max_nano is not None and ledger.spent_nano > limit.max_nano:
            over.add(limit.owner)
            _say("budget.exceeded", limit.max_nano, limit, (ledger, window), store)
        if limit.soft_nano is not None and ledger.spent_nano + ledger.reserved_nano > limit.soft_nano:
            _say("budget.warning", limit.soft_nano, limit, (ledger, window), store)
    return over


def _say(event: str, nano: int, limit: Limit, standing: tuple[Ledger, Window], store: Store) -> None:
    ledger, window = standing
    if store.say_once(limit.owner, event, ",".join(window.periods)):
        log(
            "WARNING",
            "budget passed",
            event=event,
            owner=limit.owner,
            limit_usd=events.usd(nano),
            spent_usd=events.usd(ledger.spent_nano),
            reserved_usd=events.usd(ledger.reserved_nano),
            resets_at=window.reset,
        )


def act_on(job: JobRecord, over: set[str], deps: Deps) -> None:
    """Does to a running job what the configuration says if the budget that it counts against is passed."""
    owners = over.intersection(owners_of(job.key_id, job.team))
    if not owners or deps.budget_action == "nothing":
        return
    fields = {**events.of_job(job), "owners": sorted(owners)}
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
