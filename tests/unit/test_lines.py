"""Byte chunks -> lines."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.lines import MAX_LINE_BYTES, split_lines

_BYTES = st.lists(
    st.sampled_from([b"\n", b"\n\n", b"a", b"bc", b"\r", b"\0", b"\xff", b"x" * 7]), max_size=30
)


def expected(content: bytes, limit: int) -> list[bytes | None]:
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line if len(line) <= limit else None for line in lines]


@given(st.lists(st.binary(max_size=8)))
def test_any_chunking_of_any_bytes_gives_the_same_lines(chunks: list[bytes]) -> None:
    assert list(split_lines(chunks)) == expected(b"".join(chunks), MAX_LINE_BYTES)


@given(_BYTES, st.integers(0, 9))
def test_lines_beyond_the_limit_are_none_whatever_the_chunking(chunks: list[bytes], limit: int) -> None:
    content = b"".join(chunks)
    lines = expected(content, limit)
    assert list(split_lines(chunks, limit)) == lines
    assert list(split_lines([content], limit)) == lines
    assert list(split_lines((content[i : i + 1] for i in range(len(content))), limit)) == lines


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_of_just_the_limit_is_kept_and_one_more_byte_is_not(size: int, end: bytes) -> None:
    for content, line in ((b"abcd", b"abcd"), (b"abcde", None)):
        whole = b"1\n" + content + end
        chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
        assert list(split_lines(chunks, 4)) == [b"1", line]


def test_the_last_line_needs_no_line_feed() -> None:
    assert list(split_lines([b"a\nb"])) == [b"a", b"b"]


def test_a_line_feed_at_the_end_opens_no_further_line() -> None:
    assert list(split_lines([b"a\n", b"", b"b\n"])) == [b"a", b"b"]


def test_nothing_has_no_lines() -> None:
    assert list(split_lines([])) == list(split_lines([b"", b""])) == []


def test_blank_lines_and_carriage_returns_are_handed_on() -> None:
    assert list(split_lines([b"a\r\n\r\n\nb"])) == [b"a\r", b"\r", b"", b"b"]


def test_a_good_line_after_an_oversized_one_is_whole() -> None:
    assert list(split_lines([b"x" * 9, b"x" * 9 + b"\ngo", b"od\n", b"x" * 9], 4)) == [None, b"good", None]


def test_lines_come_as_soon_as_they_end() -> None:
    seen = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"a\nb", b"c\n", b"d"):
            seen.append(chunk)
            yield chunk

    lines = split_lines(chunks())
    assert (next(lines), seen) == (b"a", [b"a\nb"])
    assert (next(lines), len(seen)) == (b"bc", 2)


def test_an_endless_line_is_not_held_in_memory() -> None:
    limit, size = 2_000_000, 100_000
    tracemalloc.start()
    try:
        # Each chunk is its own object, so that what is kept is what is counted: 100 MB in all.
        lines = list(split_lines((bytes(size) for _ in range(1000)), limit))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == [None]
    assert peak < limit + 3 * size


def test_the_limit_takes_a_request_with_twenty_megabytes_inline() -> None:
    base64 = 20 * 1024 * 1024 * 4 // 3
    assert base64 < MAX_LINE_BYTES
