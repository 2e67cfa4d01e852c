"""Whether the parts of a row's tokens add up to the total that it gives.

A total is the sum of its parts (``totalTokenCount``: GenerateContentResponse.UsageMetadata of the Vertex AI
API, discovery revision 20261106; ``total_tokens``: Chat Completions API of OpenAI). Public reports of rows
where it is not: langchain-google#920, new-api#1014, vercel/ai#3108, llm-gemini#75.
"""

from batch_gateway.core.usage import TOKENS_UNACCOUNTED, TOTAL_CONTRADICTS

AS_DOCUMENTED = ""
"""The reading in which parts are what their documentation says."""


def reading_of(total: int | None, documented: int, others: dict[str, int]) -> str | None:
    """How parts have to be read so that they add up to their total.

    Args:
        total: As the row gives it, if it does.
        documented: The sum of the parts as they are documented.
        others: Sums by other readings, in each of which one part is contained in another or beside it.

    Returns:
        ``AS_DOCUMENTED``, or the one other reading whose sum is the total; None if there is none, or
        more than one.
    """
    if total is None or total == documented:
        return AS_DOCUMENTED
    fitting = [name for name, parts in others.items() if parts == total]
    return fitting[0] if len(fitting) == 1 else None


def reason_of(total: int | None, parts: int) -> str:
    """Why a row whose parts cannot be read so that they add up to its total is not wholly priced."""
    return TOKENS_UNACCOUNTED if (total or 0) > parts else TOTAL_CONTRADICTS


def held_by(total: int, *parts: int) -> list[int]:
    """Parts, with 0 for those that the total does not hold beside the ones before."""
    held = []
    for part in parts:
        held.append(part if part <= total else 0)
        total -= held[-1]
    return held
