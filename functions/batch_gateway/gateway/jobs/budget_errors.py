"""What a create is told that a budget has no room for."""

from batch_gateway.core.accounting.budgets import BudgetExceededError
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating import Estimate
from batch_gateway.core.pricing.money import format_nano


def unknown(estimate: Estimate) -> ApiError:
    """The refusal of a job that nobody can say the cost of, for a caller with a budget."""
    why = " ".join(estimate.warnings) or "its output may be of any length."
    return ApiError(
        "FAILED_PRECONDITION",
        "ESTIMATE_UNKNOWN",
        f"The job was not submitted: your key has a budget, and what the job may cost cannot be told: {why} "
        "Set maxOutputTokens, use a model with a known price, or ask the administrator.",
    )


def exceeded(error: BudgetExceededError) -> ApiError:
    """The refusal, with the figures and what can be done."""
    budget, balance, window = error.budget, error.balance, error.window
    usd = {
        "limit": format_nano(budget.max_nano or 0),
        "spent": format_nano(balance.spent_nano),
        "reserved": format_nano(balance.reserved_nano),
        "estimate": format_nano(error.wanted_nano),
    }
    resets = f"It resets at {window.reset:%Y-%m-%dT%H:%M:%SZ}." if window.reset else "It does not reset."
    return ApiError(
        "RESOURCE_EXHAUSTED",
        "BUDGET_EXCEEDED",
        f"The job was not submitted: of the budget of {budget.name}, USD {usd['limit']}, USD {usd['spent']} "
        f"are spent and USD {usd['reserved']} are reserved for jobs under way, and this job may cost up to "
        f"USD {usd['estimate']}. {resets} Lower maxOutputTokens, send fewer rows, or ask the administrator.",
        metadata={
            "owner": budget.owner,
            **usd,
            **({"resetTime": f"{window.reset:%Y-%m-%dT%H:%M:%SZ}"} if window.reset else {}),
        },
    )
