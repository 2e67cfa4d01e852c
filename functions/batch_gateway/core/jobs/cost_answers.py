"""Define the answers about a job's cost."""

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from batch_gateway.core.answers import Count, Money, Time

Status = Literal["PENDING", "PARTIAL", "FINAL"]

# Members that a job's report and its entry in a list have in common.
Name = Annotated[str, Meta(description="The job's resource name.")]
State = Annotated[str, Meta(description="The job's state as last seen.")]
CostStatus = Annotated[
    Status,
    Meta(
        description="`PENDING`: no output is settled. `PARTIAL`: some output is settled, or the job is still "
        "running. `FINAL`: the job has ended, all output is settled, and no more is expected. A job that did "
        "not succeed is watched for 24 hours after its end unless its final output exists; output that comes "
        "or changes later opens a job again."
    ),
]
Amount = Annotated[
    Money,
    Meta(
        description="Cost of what is settled so far, at the prices in force. A floor unless `complete`. "
        "While `status` is `PENDING` it is 0 and meaningless: show `projected`."
    ),
]
Complete = Annotated[
    bool,
    Meta(
        description="true: the amount includes the cost of every row, and no more rows are expected; with "
        "`FINAL` only. false: some rows have no price, could not be read, have an unknown shape or are "
        "missing, or more may come."
    ),
]
Model = Annotated[str, Meta(description="Short name.")]
Team = Annotated[str | None, Meta(description="Id of the team of the key that created it.")]
ApiKey = Annotated[
    str | None,
    Meta(description="Alias of the key that created it; null if it was created outside the gateway."),
]
Projected = Annotated[
    Money | None,
    Meta(
        description="The expected final amount: the estimate until rows are answered, then their cost, "
        "extrapolated to all rows. null: unknown (no price, no estimate, rows that could not be read), or "
        "final."
    ),
]
ResumedFrom = Annotated[
    str | None, Meta(description="Name of the job that this one resumed; null if it resumed none.")
]
ResumedBy = Annotated[
    str | None, Meta(description="Name of the last job that resumed this one; null if there is none.")
]


class CostRows(msgspec.Struct, frozen=True, rename="camel"):
    """Rows of a job by result. All but ``unpriced`` add up to all rows.

    Attributes:
        failed: Free of charge.
        malformed: Could not be read.
        unrecognized: Rows of unknown shape: neither a known kind of answer nor an error, or both. The first
            of them are in the log.
        unpriced: Part of ``succeeded``: rows that are not, or not fully, in the amount.
        carried_over: Rows copied from an earlier job's output; not charged again.
    """

    succeeded: Count
    failed: Count
    malformed: Count
    unrecognized: Count
    unpriced: Count
    carried_over: Count


class JobEstimate(msgspec.Struct, frozen=True):
    """Estimated cost in USD; null if unknown."""

    low: Money | None
    expected: Money | None
    high: Money | None


class JobProgress(msgspec.Struct, frozen=True):
    """Number of rows, by Vertex AI's count or as settled: the higher one; null if unknown."""

    completed: Count | None
    total: Count | None


FromInput = Annotated[
    JobEstimate | None,
    Meta(
        description="Estimate from the input alone; null if it is unknown or not made yet. A create under a "
        "budget is estimated before it is sent, any other job when its cost is first requested, or by the "
        "sweep."
    ),
]


class UnpricedReason(msgspec.Struct, frozen=True):
    """Why rows are unpriced. A row without a price may have another reason as well.

    Attributes:
        reason: NO_USAGE: the row reports none, or none of its prompt. NO_PRICE: the table has none for
            something that it used. TOKENS_UNACCOUNTED: its total is more than its parts. TOTAL_CONTRADICTS:
            its total is less than its parts. DETAILS_CONTRADICT: details are more than their count. Of the
            latter two as much is in the amount as fits.
    """

    reason: Annotated[
        str,
        Meta(
            extra_json_schema={
                "enum": [
                    "NO_USAGE",
                    "NO_PRICE",
                    "TOKENS_UNACCOUNTED",
                    "TOTAL_CONTRADICTS",
                    "DETAILS_CONTRADICT",
                ]
            }
        ),
    ]
    rows: Annotated[int, Meta(ge=1)]


class CostUsage(msgspec.Struct, frozen=True, rename="camel"):
    """Tokens of all rows.

    Attributes:
        input_tokens: Includes cached and tool-use tokens.
        output_tokens: Includes thoughts.
    """

    input_tokens: Count
    cached_input_tokens: Count
    output_tokens: Count
    thoughts_tokens: Count
    total_tokens: Count


class CostLineItem(msgspec.Struct, frozen=True, rename="camel"):
    """A charge.

    Attributes:
        item: The charged item, such as ``input_text``.
        model: Key of the model in the price table, or its name as reported.
        context_window: The price tier, such as ``0-200k``; null where there is none.
        unit: ``token``, ``character`` and the like.
        unit_price: null: there is no price.
        amount: null: there is no price.
    """

    item: str
    model: str
    context_window: str | None
    quantity: Count
    unit: str
    unit_price: Money | None
    amount: Money | None


class WasteReason(msgspec.Struct, frozen=True):
    """Rows that are useless for one reason.

    Attributes:
        kind: ``failed`` rows are free.
        reason: The status of failed rows; the finish or block reason of others.
        amount: null: there is no price.
    """

    kind: Annotated[
        str,
        Meta(extra_json_schema={"enum": ["failed", "blocked", "truncated"]}),
    ]
    reason: str
    rows: Count
    amount: Money | None


class CostWaste(msgspec.Struct, frozen=True):
    """Cost of rows without a usable answer; part of ``amount``.

    Attributes:
        amount: A floor if the cost of a reason is unknown.
    """

    amount: Money
    reasons: list[WasteReason]


class QueryFee(msgspec.Struct, frozen=True, rename="camel"):
    """A fee for searches.

    Attributes:
        item: Unit of the fee: each grounded prompt, or each query.
        grounding: Kind of grounding. unknown_grounding: rows do not tell which, so the model's highest fee
            counts. retrieval: from the caller's own data.
        unit_price: null: unknown.
        amount: null: unknown.
    """

    item: Annotated[
        str,
        Meta(extra_json_schema={"enum": ["grounded_prompt", "search_query"]}),
    ]
    grounding: Annotated[
        str,
        Meta(
            extra_json_schema={
                "enum": [
                    "web_search",
                    "enterprise_web_search",
                    "maps_grounding",
                    "retrieval",
                    "unknown_grounding",
                ]
            }
        ),
    ]
    model: str
    quantity: Count
    unit_price: Money | None
    amount: Money | None


class CostQueryFees(msgspec.Struct, frozen=True, rename="camel"):
    """Fees for searches.

    Attributes:
        upper_bound: null: a fee is unknown.
    """

    upper_bound: Money | None
    items: list[QueryFee]


class CostOutput(msgspec.Struct, frozen=True):
    """An output object.

    Attributes:
        generation: Cloud Storage's.
        error: Reason why it could not be read, if so.
    """

    uri: str
    generation: str
    bytes: Count
    rows: Count
    error: str | UnsetType = UNSET


class EarlierCost(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A cost of a job that another price table replaced.

    Attributes:
        amount: USD, exact to the nano-dollar.
        price_table: Version of the table that it was priced with.
        until: When the job was priced again.
    """

    amount: Money
    price_table: str
    until: Time


class CostReport(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A job's cost. Money is a decimal string in USD, exact to the nano-dollar.

    Attributes:
        unpriced_reasons: Why rows are unpriced. A row without a price may have another reason as well.
        line_items: Their amounts add up to ``amount``.
        query_fees: Upper bound of the fees for grounding and web search, not included in ``amount``: the free
            quota is per account and day. null: there were no searches.
        price_table: Date of the price table that was used, and a hash of the operator's own if there are any;
            null while nothing is settled.
        outputs: Settled outputs, by URI.
        earlier_costs: The costs before it was priced again, the oldest first; absent if it was not.
    """

    name: Name
    state: State
    status: CostStatus
    currency: Literal["USD"] = "USD"
    amount: Amount
    complete: Complete
    model: Model
    team: Team
    api_key: ApiKey
    labels: dict[str, str]
    rows: CostRows
    unpriced_reasons: list[UnpricedReason]
    usage: CostUsage
    line_items: list[CostLineItem]
    waste: CostWaste
    query_fees: CostQueryFees | None
    price_table: str | None
    estimate: FromInput
    projected: Projected
    progress: JobProgress
    outputs: list[CostOutput]
    resumed_from: ResumedFrom
    resumed_by: ResumedBy
    earlier_costs: list[EarlierCost] | UnsetType = UNSET
