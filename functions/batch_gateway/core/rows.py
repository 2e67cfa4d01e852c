"""One line of batch output -> usage.

The shapes of a line, and who says so:

- Gemini: ``{"status", "processed_time", "request", "response": GenerateContentResponse}``; live
  captures of 2025-09 and 2026-09, and "Batch inference with Gemini" of Google's documentation.
  Failed rows have a non-empty ``status`` and no (or an empty) ``response``, and are not charged.
- text-embedding-00x: ``{"instance": {"content"}, "predictions": [{"embeddings": {"statistics":
  {"token_count"}}}], "status"}``; "Batch text embeddings" of the documentation.
- gemini-embedding: ``{"key", "request", "response": {"tokenCount": "2", "embedding"}}`` in the
  documentation, ``{"response": {"usageMetadata": {"promptTokenCount"}}}`` as seen live.

Only what is needed is decoded; the rest of a line (the whole prompt is echoed) is checked to be
JSON and skipped.
"""

from codecs import BOM_UTF8
from datetime import UTC, datetime
from typing import Any

import msgspec

from batch_gateway.core.jsons import UNREADABLE
from batch_gateway.core.modalities import (
    ContradictionError,
    ModalityTokenCount,
    by_modality,
    cached_by_modality,
    check_counts,
)
from batch_gateway.core.prices import PriceTable
from batch_gateway.core.usage import Rows, Tokens, Usage, quantities_of

UNBILLED_TOOL_USE = "input_grounding"
"""Tool-use tokens of a row grounded with Google Search: billed per query, not per token."""


class _UsageMetadata(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    prompt_tokens_details: list[ModalityTokenCount] | None = None
    candidates_tokens_details: list[ModalityTokenCount] | None = None
    cache_tokens_details: list[ModalityTokenCount] | None = None
    tool_use_prompt_tokens_details: list[ModalityTokenCount] | None = None


class _Grounding(msgspec.Struct, rename="camel"):
    web_search_queries: list[str] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    grounding_metadata: _Grounding | None = None


class _Response(msgspec.Struct, rename="camel"):
    usage_metadata: _UsageMetadata | None = None
    model_version: str | None = None
    candidates: list[_Candidate] | None = None
    token_count: int | None = None


class _Statistics(msgspec.Struct):
    token_count: int | None = None


class _Embeddings(msgspec.Struct):
    statistics: _Statistics | None = None


class _Prediction(msgspec.Struct):
    embeddings: _Embeddings | None = None


class _Instance(msgspec.Struct):
    content: str | None = None


class _Row(msgspec.Struct):
    status: Any = None
    processed_time: str | None = None
    response: _Response | None = None
    predictions: list[_Prediction] | None = None
    prediction: msgspec.Raw = msgspec.Raw()
    instance: msgspec.Raw = msgspec.Raw()


class _EmptyResponse(msgspec.Struct, forbid_unknown_fields=True):
    """Decodes ``{}`` and nothing else."""


class _ResponseOnly(msgspec.Struct):
    response: _EmptyResponse | None = None


# strict=False: an importer in Vertex may turn numbers into strings, and tokenCount is one by design.
_decode_row = msgspec.json.Decoder(_Row, strict=False).decode
_decode_instance = msgspec.json.Decoder(_Instance).decode
_decode_response_only = msgspec.json.Decoder(_ResponseOnly).decode


class Tally:
    """Sums the usage of output lines; one for each object that is read.

    Args:
        prices: Knows models, context windows and units; no amounts are computed here.
        job_model: The model that the job names; for rows which name none, or one without a price.
        resumed_at: createTime of a job whose input was the output of an earlier job. Vertex merges
            the earlier job's good rows into the output ("Resume a batch job" of the documentation);
            they were processed, and paid for, before this time. None for any other job.
    """

    def __init__(self, prices: PriceTable, job_model: str, resumed_at: datetime | None = None) -> None:
        self._prices = prices
        self._job_model = prices.resolve(job_model)
        self._job_model_name = job_model.rsplit("/", 1)[-1]
        self._resumed_at = resumed_at
        self._models: dict[str | None, str] = {}
        self._succeeded = self._failed = self._malformed = self._carried_over = self._unmetered = 0
        self._input = self._cached = self._output = self._thoughts = 0
        self._sums: dict[tuple[str, str], dict[str, list[int]]] = {}

    @property
    def usage(self) -> Usage:
        """What has been added so far."""
        return Usage(
            rows=Rows(self._succeeded, self._failed, self._malformed, self._carried_over, self._unmetered),
            tokens=Tokens(self._input, self._cached, self._output, self._thoughts),
            quantities=quantities_of(
                ((model, window, item), (sums[0], sums[1]))
                for (model, window), items in self._sums.items()
                for item, sums in items.items()
            ),
        )

    def add_malformed(self) -> None:
        """Counts a line that could not even be read, such as one beyond the size limit."""
        self._malformed += 1

    def add(self, line: bytes) -> None:
        """Adds one line of output, without its line break; a blank line counts as nothing."""
        line = line.removeprefix(BOM_UTF8)
        try:
            self._add_row(_decode_row(line), line)
        except (*UNREADABLE, ContradictionError):
            if line.strip():
                self._malformed += 1

    def _add_row(self, row: _Row, line: bytes) -> None:
        if row.status or (row.predictions is None and not row.prediction and _is_empty(row.response, line)):
            self._failed += 1
        elif self._is_carried_over(row.processed_time):
            self._carried_over += 1
        elif row.response is not None:
            self._add_response(row.response)
        else:
            self._add_predictions(row.predictions or [], row.instance)

    def _is_carried_over(self, processed_time: str | None) -> bool:
        if self._resumed_at is None or not processed_time:
            return False
        try:
            processed = datetime.fromisoformat(processed_time)
        except ValueError as error:
            raise ContradictionError(processed_time) from error
        return processed.replace(tzinfo=processed.tzinfo or UTC) < self._resumed_at

    def _add_predictions(self, predictions: list[_Prediction], instance: msgspec.Raw) -> None:
        counts = [
            p.embeddings.statistics.token_count
            for p in predictions
            if p.embeddings and p.embeddings.statistics
        ]
        tokens = sum(count or 0 for count in counts)
        check_counts(tokens, *(count or 0 for count in counts))
        model = self._model(None)
        quantity: int | None = tokens if counts else None
        if self._prices.unit(model) == "character":
            quantity = _characters(instance)
        if quantity is None:
            self._unmetered += 1
        self._commit(model, tokens, {"input_text": quantity or 0}, tokens, 0)

    def _add_response(self, response: _Response) -> None:
        usage = response.usage_metadata or _UsageMetadata()
        if usage.prompt_token_count is None:
            usage.prompt_token_count = response.token_count
        prompt = usage.prompt_token_count or 0
        cached = usage.cached_content_token_count or 0
        candidates = usage.candidates_token_count or 0
        thoughts = usage.thoughts_token_count or 0
        tool_use = usage.tool_use_prompt_token_count or 0
        check_counts(prompt, cached, candidates, thoughts, tool_use)
        items = _input_items(usage, prompt, cached)
        if tool_use:
            _add_tool_use(items, tool_use, usage, response.candidates)
        for modality, tokens in by_modality(candidates, usage.candidates_tokens_details).items():
            items[f"output_{modality}"] = tokens
        items["output_thoughts"] = thoughts
        if usage.prompt_token_count is None:
            self._unmetered += 1
        self._cached += cached
        self._thoughts += thoughts
        self._commit(
            self._model(response.model_version), prompt, items, prompt + tool_use, candidates + thoughts
        )

    def _model(self, version: str | None) -> str:
        """The price table's key for a row: its own version if that has a price, else the job's model."""
        model = self._models.get(version)
        if model is None:
            resolved = (self._prices.resolve(version) if version else None) or self._job_model
            model = self._models[version] = resolved or version or self._job_model_name
        return model

    def _commit(
        self, model: str, prompt_tokens: int, items: dict[str, int], input_tokens: int, output_tokens: int
    ) -> None:
        window = self._prices.context_window(model, prompt_tokens)
        sums_by_item = self._sums.get((model, window))
        if sums_by_item is None:
            sums_by_item = self._sums[model, window] = {}
        self._succeeded += 1
        self._input += input_tokens
        self._output += output_tokens
        for item, quantity in items.items():
            if not quantity:
                continue
            sums = sums_by_item.get(item)
            if sums is None:
                sums_by_item[item] = [quantity, 1]
            else:
                sums[0] += quantity
                sums[1] += 1


def _characters(instance: msgspec.Raw) -> int | None:
    """Billable characters of an embedded text; None if the line does not echo it.

    "Characters are counted by UTF-8 code points and white space is excluded from the count": Vertex
    AI pricing page, on text models.
    """
    try:
        content = _decode_instance(instance).content
    except UNREADABLE:
        return None
    return None if content is None else len("".join(content.split()))


def _is_empty(response: _Response | None, line: bytes) -> bool:
    if response is None:
        return True
    if (
        response.usage_metadata
        or response.candidates
        or response.model_version
        or response.token_count is not None
    ):
        return False
    try:
        _decode_response_only(line)
    except msgspec.ValidationError:
        return False
    return True


def _input_items(usage: _UsageMetadata, prompt: int, cached: int) -> dict[str, int]:
    """The prompt's tokens by item; its count holds the cached ones."""
    fresh = by_modality(prompt, usage.prompt_tokens_details)
    items: dict[str, int] = {}
    if cached:
        for modality, tokens in cached_by_modality(cached, usage.cache_tokens_details, fresh).items():
            fresh[modality] -= tokens
            items[f"cached_input_{modality}"] = tokens
    for modality, tokens in fresh.items():
        items[f"input_{modality}"] = tokens
    return items


def _add_tool_use(
    items: dict[str, int], tool_use: int, usage: _UsageMetadata, candidates: list[_Candidate] | None
) -> None:
    """Adds tool-use prompt tokens, which the prompt's count does not hold, to the items."""
    if any(c.grounding_metadata and c.grounding_metadata.web_search_queries for c in candidates or ()):
        items[UNBILLED_TOOL_USE] = tool_use
        return
    for modality, tokens in by_modality(tool_use, usage.tool_use_prompt_tokens_details).items():
        item = f"input_{modality}"
        items[item] = items.get(item, 0) + tokens
