"""Which objects a wildcard names, and how long it takes to tell."""

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.estimating.wildcards import matcher, prefix_of


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("abc/d*", ["abc/d", "abc/def.txt"], ["abc/def/g.txt", "abc/e"]),
        ("a/**", ["a/b", "a/b/c.jsonl"], ["b/a/c"]),
        ("a/**.jsonl", ["a/b.jsonl", "a/b/c.jsonl"], ["a/b.json"]),
        ("??.txt", ["ab.txt"], ["a.txt", "abc.txt", "/a.txt"]),
        ("[a-c]x[!1].j", ["ax!.j", "cx1.j"], ["dx1.j", "ax2.j"]),
        ("a.b+(c)*", ["a.b+(c)d"], ["aXb+(c)d"]),
        ("[", ["["], ["a"]),
        ("[z-a]*", ["[z-a]q"], ["z"]),
        ("line\n*", ["line\nx"], ["line"]),
        ("***b", ["b", "a/c/b"], ["a/c"]),
        ("a*?*b", ["axb", "axyb"], ["ab", "a/b"]),
        ("[]a", ["[]a"], ["]a", "a"]),
        ("[a/b]", ["[a/b]"], ["a"]),
        ("[a-]x", ["ax", "-x"], ["bx"]),
        ("[a-cé-ü]", ["b", "ö"], ["d", "z"]),
        ("[^a]", ["^", "a"], ["b"]),
        ("a/**/b*", ["a//b", "a/x/y/bc"], ["a/b", "a/x/b/c"]),
    ],
)
def test_wildcards_are_cloud_storages(pattern, matching, others):
    matches = matcher(pattern)
    assert [name for name in (*matching, *others) if matches(name)] == matching
    assert all(name.startswith(prefix_of(pattern)) for name in matching)


def test_a_name_without_wildcards_has_no_prefix():
    assert prefix_of("a/b.jsonl") is None
    assert prefix_of("a/b-*.jsonl") == "a/b-"
    assert prefix_of("[ab]c") == ""


def expression(pattern):
    """The same as a regular expression, which is right and may take for ever."""
    kinds = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?|\[[^\]/]+\])", pattern)
    return re.compile("".join(kinds.get(part) or _as_set(part) for part in parts), re.DOTALL)


def _as_set(part):
    if part.startswith("[") and part.endswith("]"):
        inside = "".join(c if c == "-" else re.escape(c) for c in part[1:-1])
        try:
            re.compile(f"[{inside}]")
        except re.error:
            return re.escape(part)
        return f"[{inside}]"
    return re.escape(part)


@given(st.text("ab/*?[]-^!", max_size=9), st.lists(st.text("ab/-^![]", max_size=7), max_size=20))
def test_matches_as_an_expression_would(pattern, names):
    matches, right = matcher(pattern), expression(pattern)
    for name in names:
        assert matches(name) == bool(right.fullmatch(name)), (pattern, name)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_pattern_matches_or_not(pattern, name):
    assert matcher(pattern)(name) in {True, False}


def steps(act):
    """Lines of Python that run."""
    counted = 0

    def trace(_frame, event, _argument):
        nonlocal counted
        counted += event == "line"
        return trace

    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(None)
    return counted


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 500 + "b",
        "**a" * 300 + "b",
        "*?" * 500 + "b",
        "*[a-z]" * 170 + "b",
        "?" * 1000 + "b",
        "*" * 1000 + "b",
        "[" * 1000,
        "[a" * 500,
    ],
    ids=lambda pattern: pattern[:6],
)
def test_a_match_takes_a_few_steps_a_character(pattern):
    matches = matcher(pattern)
    matches("a")
    assert steps(lambda: matches("a" * 1000)) <= 10 * 1000
    assert steps(lambda: matcher(pattern)) <= 20 * len(pattern)
