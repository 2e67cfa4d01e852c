"""Labels that the gateway may add: Google's rules, and names that are taken."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.access.label_policy import (
    LabelPolicy,
    check_label,
    check_label_of_job,
    check_name,
    default_labels,
    missing_labels,
    read_labels,
)


@pytest.mark.parametrize(
    "name", ["a", "campaign", "cost-center", "a_1-", "größe", "東京", "ª", "a" * 63, "goo"]
)
def test_a_name_by_googles_rules_is_taken(name):
    check_label(name, name)
    check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "-a",
        "_a",
        "A",
        "aB",
        "Größe",
        "É",
        "a.b",
        "a/b",
        "a b",
        "a:b",
        "a\n",
        "a" * 64,
        "東" * 43,
        "ǅ",
        "😀",
    ],
)
def test_any_other_is_refused_and_named(name):
    with pytest.raises(ValueError, match="cannot be the name of a label") as refused:
        check_name(name)
    assert repr(name[:80]) in str(refused.value)


@pytest.mark.parametrize(
    "name", ["team", "api_key", "gateway_submission", "google-x", "google", "googlevertex", "goog-x"]
)
def test_a_reserved_name_is_refused(name):
    with pytest.raises(ValueError, match=r"set by the gateway|reserved"):
        check_name(name)


@pytest.mark.parametrize("value", ["", "42", "-", "_x", "x" * 63, "東" * 42])
def test_a_value_may_be_empty_and_begin_with_anything(value):
    check_label("a", value)


@pytest.mark.parametrize("value", ["X", "a.b", "a b", "x" * 64, "東" * 43, "a=b", "\x00"])
def test_a_value_that_google_refuses_is_refused(value):
    with pytest.raises(ValueError, match="cannot be the value of the label 'a'"):
        check_label("a", value)


@given(st.text(st.characters(max_codepoint=0x2FFF), max_size=65))
def test_the_rules_are_those_of_googles_expression(text):
    """``[\\p{Ll}\\p{Lo}\\p{N}_-]{0,63}``, below 128 bytes (labels of the Bigtable Admin API)."""
    spelled = "".join(
        char
        if char in "_-"
        else {"Ll": "l", "Lo": "l", "Nd": "n", "Nl": "n", "No": "n"}.get(unicodedata.category(char), "?")
        for char in text
    )
    allowed = re.fullmatch("[ln_-]{0,63}", spelled) is not None and len(text.encode()) < 128
    try:
        check_label("a", text)
    except ValueError:
        assert not allowed
    else:
        assert allowed


def test_labels_are_read():
    assert read_labels("campaign=autumn,cost-center=42") == {"campaign": "autumn", "cost-center": "42"}
    assert read_labels(" a = b , c= ") == {"a": "b", "c": ""}
    assert read_labels("") == read_labels("  ") == {}


@pytest.mark.parametrize("text", ["a", "a=b,", ",", "=b", "a=b;c=d", "a=b,a=b", "a=b,a=c", "a=b=c", "team=x"])
def test_what_is_no_list_of_labels_is_refused(text):
    with pytest.raises(ValueError, match=r"'.*'"):
        read_labels(text)


_NAMES = st.from_regex("[a-f][a-z0-9_-]{0,5}", fullmatch=True)
_VALUES = st.from_regex("[a-z0-9_-]{0,5}", fullmatch=True)


@given(st.dictionaries(_NAMES, _VALUES))
def test_labels_that_are_written_are_read_again(labels):
    assert read_labels(",".join(f"{name}={value}" for name, value in labels.items())) == labels


def test_the_last_default_of_a_name_counts():
    team, key = LabelPolicy({"a": "team", "b": "team"}), LabelPolicy({"b": "key", "c": "key"})
    assert default_labels((team, key)) == {"a": "team", "b": "key", "c": "key"}


def test_all_missing_labels_are_named_once():
    policies = (LabelPolicy({}, ("stage", "campaign")), LabelPolicy({}, ("campaign", "a")))
    assert missing_labels(policies, {"a": "", "x": "y"}) == ["a", "campaign", "stage"]
    assert missing_labels(policies, {"a": "1", "campaign": "2", "stage": "3"}) == []


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("Env", "x", "'Env' cannot be the name of a label: it has 'E'. Use lower-case letters"),
        ("1a", "x", "'1a' cannot be the name of a label: a name begins with a letter"),
        ("", "x", "'' cannot be the name of a label: a name begins with a letter"),
        ("a" * 65, "x", "it has 65 characters, and 64 are allowed. Shorten it"),
        ("a", "b c", "'b c' cannot be the value of the label 'a': it has ' '. Use lower-case letters"),
        ("a", "x" * 65, "the label 'a': it has 65 characters, and 64 are allowed"),
        ("a", 42, "the value of the label 'a' must be a string: write it in quotes"),
        ("a", None, "the value of the label 'a' must be a string"),
    ],
)
def test_a_label_of_a_job_that_vertex_ai_refuses_is_named_with_the_rule(name, value, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        check_label_of_job(name, value)


@pytest.mark.parametrize(("name", "value"), [("a" * 64, "東" * 64), ("google-x", ""), ("team", "-")])
def test_a_label_of_a_job_that_vertex_ai_may_take_is_left_to_it(name, value):
    check_label_of_job(name, value)
