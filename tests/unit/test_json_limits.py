"""How much JSON is taken: values and levels are counted as a decoder would make them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.json_limits import MOST_DEPTH, MOST_VALUES, count_values

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('a,[]{}"\\:é😀\n'), max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner, max_size=5),
    max_leaves=40,
)


def values_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(values_of, inner))


def depth_of(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(VALUES, st.booleans())
def test_no_value_is_left_out(value, ascii_only):
    raw = json.dumps(value, ensure_ascii=ascii_only).encode()
    most = values_of(value)
    assert count_values(raw) >= most
    with pytest.raises(ValueError, match="more than 0 members"):
        count_values(b"[" + raw + b"]", 0)
    # At its very number it may pass or not, as empty lists and objects count too; well above it does.
    assert most <= count_values(raw, 2 * most) <= 2 * most + 1


@given(VALUES)
def test_what_strings_hold_is_no_value(value):
    text = json.dumps(json.dumps(value) * 3)
    assert count_values(b"[" * 50 + text.encode() + b"]" * 50, 51) <= 51


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"[" + b"1," * MOST_VALUES + b"1]", "more than 40,000 members and elements"),
        (b"[]," * MOST_VALUES, "more than 40,000 members and elements"),
        (b'""' * 200_000 + b"[" * 101, "more than 40,000 members and elements"),
        (b"[" * (MOST_DEPTH + 1), "nested deeper than 100 levels"),
        (b'{"a":' * (MOST_DEPTH + 1), "nested deeper than 100 levels"),
        (b'["[",' * (MOST_DEPTH + 1) + b'"\\""', "nested deeper than 100 levels"),
    ],
)
def test_a_limit_is_named(raw, problem):
    with pytest.raises(ValueError, match=problem):
        count_values(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * MOST_DEPTH + b"]" * MOST_DEPTH,
        b"[" + b"[]," * 1000 + b"[]]",
        b'"' + b"[," * 100_000 + b'"',
        b'"' + b'\\"[' * 100_000 + b'"',
        b'"' + b"\\\\" * 100_000 + b'"' + b"[" * MOST_DEPTH,
        b'["' + b"\\\\" * 3 + b'","' + b"[" * 100_000 + b'"]',
        b"",
        b'"',
        b'"\\',
        b"," * (MOST_VALUES - 1),
    ],
)
def test_what_is_within_the_limits_passes_and_what_is_no_json_is_left_to_the_decoder(raw):
    assert 1 <= count_values(raw) <= MOST_VALUES
