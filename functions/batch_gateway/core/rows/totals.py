"""Check whether the parts of a row's tokens add up to the total that it reports.

A total is the sum of its parts (``totalTokenCount``: GenerateContentResponse.UsageMetadata of the Vertex AI
API, discovery revision 20261106; ``total_tokens``: Chat Completions API of OpenAI). Public reports of rows
where it is not: langchain-google#920, new-api#1014, vercel/ai#3108, llm-gemini#75.
"""

from batch_gateway.core.usage import TOKENS_UNACCOUNTED, TOTAL_CONTRADICTS

AS_DOCUMENTED = ""
"""The reading of parts that the documentation describes."""


def reading_of(total: int | None, documented: int, others: dict[str, int]) -> str | None:
    """Return how parts have to be read so that they add up to their total.

    Args:
        total: As the row reports it; None if it does not.
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
    """Return why a row is not wholly priced, if no reading of its parts adds up to its total."""
    return TOKENS_UNACCOUNTED if (total or 0) > parts else TOTAL_CONTRADICTS


def held_by(total: int, *parts: int) -> list[int]:
    """Return the parts, with 0 for those that do not fit into the total after the ones before."""
    held = []
    for part in parts:
        held.append(part if part <= total else 0)
        total -= held[-1]
    return held
