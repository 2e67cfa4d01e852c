"""Make the errors for creates that do not fit their budgets."""

from batch_gateway.core.accounting.budgets import BudgetExceededError
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating import Estimate
from batch_gateway.core.pricing.money import format_nano


def unknown(estimate: Estimate) -> ApiError:
    """Return the error for a job of unknown cost, for a caller with a budget."""
    why = " ".join(estimate.warnings) or "its output may be of any length."
    return ApiError(
        "FAILED_PRECONDITION",
        "ESTIMATE_UNKNOWN",
        f"The job was not submitted: your key has a budget, and the job's highest cost is unknown: {why} "
        "Set maxOutputTokens, use a model with a known price, or ask the administrator.",
    )


def exceeded(error: BudgetExceededError) -> ApiError:
    """Return the error for a create that exceeds a budget, with the figures and advice."""
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
        f"The job was not submitted: of the budget of {budget.name} (USD {usd['limit']}), USD {usd['spent']} "
        f"is spent and USD {usd['reserved']} is reserved for running jobs, and this job may cost up to "
        f"USD {usd['estimate']}. {resets} Lower maxOutputTokens, send fewer rows, or ask the administrator.",
        metadata={
            "owner": budget.owner,
            **usd,
            **({"resetTime": f"{window.reset:%Y-%m-%dT%H:%M:%SZ}"} if window.reset else {}),
        },
    )
