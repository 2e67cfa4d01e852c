"""Parse the `filter` of list: a part of AIP-160, for the fields that batchPredictionJobs.list supports.

Supported (Vertex AI API reference, batchPredictionJobs.list): `display_name` with =, != and : (wildcards),
`model_display_name` and `state` with = and !=, `create_time` with all comparisons, `labels.key=value` and
`labels.key:*`; AND, OR, NOT, `-`, parentheses, quotes. As in AIP-160, OR binds tighter than AND.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import timestamps
from .errors import ApiError

Test = Callable[[dict[str, Any]], bool]

_TOKEN = re.compile(
    r"""\s*(?:(?P<op><=|>=|!=|[=<>:()])|"(?P<dq>(?:\\.|[^"\\])*)"|'(?P<sq>(?:\\.|[^'\\])*)'|(?P<word>[^\s()=<>!:"']+))"""
)
_COMPARE: dict[str, Callable[[datetime, datetime], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ALLOWED = {
    "display_name": {"=", "!=", ":"},
    "model_display_name": {"=", "!="},
    "state": {"=", "!="},
    "create_time": set(_COMPARE),
}
_VALUES: dict[str, Callable[[dict[str, Any]], str]] = {
    "display_name": lambda job: str(job["displayName"]),
    "model_display_name": lambda job: str(job.get("model", "")).rpartition("/")[2],
    "state": lambda job: str(job["state"]),
}


@dataclass(frozen=True)
class _Token:
    text: str
    quoted: bool = False

    def is_op(self, text: str) -> bool:
        return not self.quoted and self.text == text


def parse(text: str) -> Test:
    """Return a function that tests a job's JSON resource.

    Raises:
        ApiError: 400 if the filter can't be read, or names a field or comparison that isn't supported.
    """
    tokens = _tokens(text)
    if not tokens:
        return lambda _job: True
    parser = _Parser(tokens, text)
    test = parser.conjunction()
    if parser.peek() is not None:
        raise _refuse(text)
    return test


def _tokens(text: str) -> list[_Token]:
    result = []
    position = 0
    stripped = text.rstrip()
    while position < len(stripped):
        match = _TOKEN.match(stripped, position)
        if match is None:
            raise _refuse(text)
        quoted = match["dq"] if match["dq"] is not None else match["sq"]
        if quoted is not None:
            result.append(_Token(re.sub(r"\\(.)", r"\1", quoted), quoted=True))
        else:
            result.append(_Token(match["op"] or match["word"]))
        position = match.end()
    return result


class _Parser:
    """A recursive-descent parser of one filter's tokens."""

    def __init__(self, tokens: list[_Token], text: str) -> None:
        self._tokens = tokens
        self._text = text

    def peek(self) -> _Token | None:
        return self._tokens[0] if self._tokens else None

    def _take(self) -> _Token:
        if not self._tokens:
            raise _refuse(self._text)
        return self._tokens.pop(0)

    def _next_is(self, text: str) -> bool:
        token = self.peek()
        return token is not None and token.is_op(text)

    def conjunction(self) -> Test:
        tests = [self._disjunction()]
        while self.peek() is not None and not self._next_is(")"):
            if self._next_is("AND"):
                self._take()
            tests.append(self._disjunction())
        return lambda job: all(test(job) for test in tests)

    def _disjunction(self) -> Test:
        tests = [self._term()]
        while self._next_is("OR"):
            self._take()
            tests.append(self._term())
        return lambda job: any(test(job) for test in tests)

    def _term(self) -> Test:
        token = self._take()
        if token.is_op("NOT") or token.is_op("-"):
            inner = self._term()
            return lambda job: not inner(job)
        if token.is_op("("):
            inner = self.conjunction()
            if not self._take().is_op(")"):
                raise _refuse(self._text)
            return inner
        if not token.quoted and token.text.startswith("-"):
            inner = self._restriction(token.text[1:])
            return lambda job: not inner(job)
        return self._restriction(token.text)

    def _restriction(self, field: str) -> Test:
        if field.endswith(".") and self.peek() is not None:  # labels."key"
            field += self._take().text
        comparison, value = self._take().text, self._take()
        if not value.quoted and value.text in {*_COMPARE, ":", "(", ")"}:
            raise _refuse(self._text)
        if field.startswith("labels."):
            return self._label(field.removeprefix("labels."), comparison, value)
        if comparison not in _ALLOWED.get(field, ()):
            raise _refuse(self._text)
        if field == "create_time":
            return self._time(comparison, value.text)
        read = _VALUES[field]
        pattern = _wildcards(value.text, contains=comparison == ":")
        wanted = comparison != "!="
        return lambda job: (pattern.fullmatch(read(job)) is not None) == wanted

    def _label(self, key: str, comparison: str, value: _Token) -> Test:
        if comparison == ":" and value.text == "*":
            return lambda job: key in job.get("labels", {})
        if comparison not in ("=", "!=", ":"):
            raise _refuse(self._text)
        wanted = comparison != "!="
        return lambda job: (job.get("labels", {}).get(key) == value.text) == wanted

    def _time(self, comparison: str, text: str) -> Test:
        try:
            moment = timestamps.parse(text)
        except ValueError as error:
            raise _refuse(self._text) from error
        compare = _COMPARE[comparison]
        return lambda job: compare(timestamps.parse(job["createTime"]), moment)


def _wildcards(value: str, *, contains: bool) -> re.Pattern[str]:
    """Return `value` as a pattern: `*` stands for anything after `:`, and a bare word may stand anywhere."""
    if not contains:
        return re.compile(re.escape(value), re.DOTALL)
    body = ".*".join(re.escape(part) for part in value.split("*"))
    return re.compile(body if "*" in value else f".*{body}.*", re.DOTALL)


def _refuse(text: str) -> ApiError:
    return ApiError(400, f"Invalid filter: {text}")
