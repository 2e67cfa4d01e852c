"""List filters: whatever a client writes, it selects no job of another team."""

import contextlib
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_gateway.core.jobs.filters import narrow
from thorough import examples
from vertex_emulator import filters as emulated
from vertex_emulator.errors import ApiError

OWN = {"display_name": "own", "labels": {"team": "search", "env": "a"}}
FOREIGN = [
    {"display_name": "own", "labels": labels}
    for labels in ({"team": "other", "env": "a"}, {}, {"team": ""}, {"env": "search"}, {"api_key": "search"})
]
_TOKEN = re.compile(
    r"""\s*(?:(?P<op><=|>=|!=|[=<>:(),])|(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<word>[^\s()=<>!:,"']+))""",
    re.DOTALL,
)


class _SyntaxError(Exception):
    pass


class _Reader:
    """AIP-160 in little, read generously: a restriction that it does not know is met.

    Args:
        or_binds_tighter: As AIP-160 has it; else as most languages do, in case that somebody errs.
    """

    def __init__(self, text, *, or_binds_tighter):
        self._tokens = []
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise _SyntaxError
            self._tokens.append(match[match.lastgroup])
            position = match.end()
        joints = [("AND", True), ("OR", False)]
        self._outer, self._inner = joints if or_binds_tighter else reversed(joints)

    def matches(self, job):
        self._left = list(self._tokens)
        result = self._joined(job)
        if self._left:
            raise _SyntaxError
        return result

    def _joined(self, job):
        return self._join(self._outer, lambda: self._join(self._inner, lambda: self._term(job)))

    def _join(self, joint, part):
        word, by_default = joint
        results = [part()]
        while self._left and self._left[0] != ")":
            if self._left[0] == word:
                self._left.pop(0)
            elif not by_default or self._left[0] in {"AND", "OR"}:
                break
            results.append(part())
        return any(results) if word == "OR" else all(results)

    def _take(self):
        if not self._left:
            raise _SyntaxError
        return self._left.pop(0)

    def _term(self, job):
        token = self._take()
        if token in {"NOT", "-"}:
            return not self._term(job)
        if token == "(":
            result = self._joined(job)
            if self._take() != ")":
                raise _SyntaxError
            return result
        if token.startswith("-"):
            return not self._restriction(token[1:], job)
        return self._restriction(token, job)

    def _restriction(self, field, job):
        if field in {"=", ":", "<", ">", "<=", ">=", "!=", ")", ","}:
            raise _SyntaxError
        if not self._left or self._left[0] not in {"=", "!=", ":"}:
            return True
        comparison, value = self._take(), re.sub(r"\\(.)", r"\1", self._take().strip("\"'"))
        if not field.startswith("labels."):
            return True
        label = job["labels"].get(field.removeprefix("labels."))
        if comparison == ":":
            return label is not None and value in {"*", label}
        return (label == value) is (comparison == "=")


READINGS = pytest.mark.parametrize("or_binds_tighter", [True, False], ids=["aip-160", "or-is-loose"])


def selected(text, job, *, or_binds_tighter=True):
    """Return True if a filter selects a job; one that cannot be read selects nothing."""
    try:
        return _Reader(text, or_binds_tighter=or_binds_tighter).matches(job)
    except _SyntaxError:
        return False


PARTS = [
    *("(", ")", "()", '"', "'", "\\", '\\"', "\\'", "\\\\", " ", "\n", "\t", "\r\n", "\x00", "\x0b"),
    *(" OR ", " AND ", " NOT ", "-", " or ", "OR", "NOT", ",", "*", "--", "#", "//", "/*", "*/", ";", "%22"),
    *(
        'labels.team="other"',
        'labels.team="search"',
        "labels.team:*",
        'labels.team!="search"',
        "labels.env=a",
    ),
    *('display_name="own"', "display_name:*", 'state="JOB_STATE_FAILED"', "x", "=", "!=", ":", "<", "“", "”"),
    *('") OR (', "') OR (", ') OR ("', ' OR labels.team="other" OR ', 'a="', "a='", "é", "\u2028", "\ufeff"),
]
CLIENT_FILTERS = st.lists(st.sampled_from(PARTS), max_size=12).map("".join) | st.text(max_size=20)


@READINGS
@examples(100)
@given(CLIENT_FILTERS)
@example('labels.team="other" OR labels.team="search"')
@example(') OR (labels.team="other"')
@example('x" OR labels.team="other')
@example('a="b\\" OR labels.team="other"')
@example('a=\'"\' OR labels.team="other"')
@example('NOT (labels.team="search"')
@example('a="b") OR (labels.team="other')
def test_no_filter_of_a_client_selects_another_teams_job(or_binds_tighter, client):
    try:
        narrowed = narrow(client, "team", "search")
    except ValueError:
        return

    chosen = [job for job in FOREIGN if selected(narrowed, job, or_binds_tighter=or_binds_tighter)]

    assert chosen == []


@examples(100)
@given(CLIENT_FILTERS)
def test_nor_does_it_as_the_emulator_reads_it(client):
    jobs = [
        {
            "displayName": job["display_name"],
            "state": "JOB_STATE_FAILED",
            "createTime": "2026-11-22T10:00:00Z",
            "labels": job["labels"],
        }
        for job in FOREIGN
    ]
    try:
        test = emulated.parse(narrow(client, "team", "search"))
    except (ValueError, ApiError):
        return

    assert not any(map(test, jobs))


TERMS = st.sampled_from(
    ['labels.env="a"', "labels.env='b'", "labels.team:*", 'labels.team!="x"', 'display_name="a ) OR ( \\" b"']
)
SOUND_FILTERS = st.recursive(
    TERMS,
    lambda inner: (
        st.tuples(inner, st.sampled_from([" AND ", " OR ", " "]), inner).map("".join)
        | inner.map(lambda text: f"({text})")
        | inner.map(lambda text: f"NOT ({text})")
    ),
    max_leaves=6,
)


@READINGS
@examples(100)
@given(SOUND_FILTERS)
def test_of_its_own_jobs_a_team_gets_what_its_filter_says(or_binds_tighter, client):
    narrowed = narrow(client, "team", "search")

    assert selected(narrowed, OWN, or_binds_tighter=or_binds_tighter) == selected(
        client, OWN, or_binds_tighter=or_binds_tighter
    )


@pytest.mark.parametrize("empty", ["", " ", "\n\t "])
def test_without_a_filter_the_condition_stands_alone(empty):
    assert narrow(empty, "team", "search") == 'labels.team="search"'


def test_the_clients_filter_stays_as_it_was_in_parentheses():
    assert narrow('a = "b"  OR c:*', "team", "x") == '(a = "b"  OR c:*) AND labels.team="x"'


@pytest.mark.parametrize(
    "client",
    [
        *(
            "(",
            ")",
            ")(",
            "())(",
            "a)",
            "(a",
            '"',
            "'",
            'a="b',
            "a='b",
            "\"'",
            "'\"",
            "a='b\"",
            '"\\"',
            "'\\'",
        ),
        *("\\", "a\\", '\\"', 'a="b"\\', "a=\\(", '"a" "', "((a)", "a=\"b')", '")"(', "'('('"),
        *("x\n)", "a -- )\n", "# )\na"),
    ],
)
def test_what_is_not_balanced_is_refused(client):
    with pytest.raises(ValueError, match=r"quote|parenthesis|backslash"):
        narrow(client, "team", "search")


@pytest.mark.parametrize(
    "client",
    ['"()"', "')('", '"\\")("', "'\\')('", "\"'\" '\"'", '"\n)"', "(a) (b)", "((a) OR (b))", '""', "''"],
)
def test_parentheses_and_quotes_inside_of_quotes_do_not_count(client):
    assert narrow(client, "team", "search") == f'({client}) AND labels.team="search"'


@pytest.mark.parametrize("mark", ["'", '"'])
def test_a_quote_in_the_middle_of_a_word_is_refused(mark):
    """A reader that takes it for a letter would see parentheses where we see a string."""
    with pytest.raises(ValueError, match="quote"):
        narrow(f"a=b{mark}c) OR (labels.team:* OR a={mark}d", "team", "search")


@pytest.mark.parametrize("word", ['"', "'", '"\\', "(", ")", "a", "\\", '"a" '])
def test_a_long_filter_is_read_in_no_time(word):
    with contextlib.suppress(ValueError):
        narrow(word * 200_000, "team", "search")
