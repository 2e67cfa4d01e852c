"""Name the events: those that go to webhooks and the topic, and those that are log lines only.

The table of functions/docs/api.md is made from WHEN (infra/local/renew_documents.py); mypy compares what the
code sends and logs with the names, and a test the filters of alerts and metrics.
"""

from typing import Literal

EndEvent = Literal["batch.completed", "batch.failed", "batch.cancelled", "batch.expired"]
BudgetEvent = Literal["budget.warning", "budget.exceeded"]
SentEvent = Literal[
    EndEvent,
    BudgetEvent,
    "batch.cost_updated",
    "budget.overrun",
    "price.missing",
    "batch.uri_not_allowed",
]
"""Events that go to the topic and to the webhook of a key; they are log lines, too."""
LogEvent = Literal[
    "batch.deleted",
    "bill.compared",
    "bill.failed",
    "budget.cancel_failed",
    "budget.job_cancelled",
    "budget.job_running",
    "input.refused",
    "input.taken",
    "job.adopted",
    "job.created",
    "job.reopened",
    "job.state_changed",
    "job.stuck",
    "keys.guessed",
    "notify.failed",
    "output.lost",
    "output.parked",
    "output.settled",
    "pubsub.abandoned",
    "pubsub.delivered",
    "pubsub.failed",
    "record.unreadable",
    "results.abandoned",
    "results.broken",
    "results.failed",
    "rows.unrecognized",
    "settlement.failed",
    "sweep.done",
    "upstream.error",
    "upstream.refused",
    "webhook.abandoned",
    "webhook.delivered",
    "webhook.disabled",
    "webhook.failed",
]
"""Events that are log lines only."""
EventName = Literal[SentEvent, LogEvent]

WHEN: dict[tuple[SentEvent, ...], str] = {
    ("batch.completed", "batch.failed", "batch.cancelled", "batch.expired"): (
        "a job has ended; once for each job"
    ),
    ("batch.cost_updated",): (
        "the cost became final after that event, or output changed it later; it is the whole cost, not a "
        "difference; a [reprice](#price-settled-jobs-again) sends no event"
    ),
    ("budget.warning", "budget.exceeded"): (
        "the soft or the hard limit of a budget is exceeded; once in a window"
    ),
    ("budget.overrun",): "a job cost more than was reserved for it",
    ("price.missing",): (
        "a model was used that has no price there, or none for its input or output: `model`, the job's "
        "`name`, and the `terms` and the `command` that set it, once their rates are filled in; once a day "
        "for each model and location"
    ),
    ("batch.uri_not_allowed",): (
        "a job's rows named a file outside its key's prefixes: its input was changed after the create "
        "([files that rows name](keys-and-budgets.md#files-that-rows-name))"
    ),
}
"""The occasion of each event, in Markdown."""
