"""Byte chunks -> lines."""

import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.lines import MAX_LINE_BYTES, whole_lines

_BYTES = st.lists(
    st.sampled_from([b"\n", b"\n\n", b"a", b"bc", b"\r", b"\0", b"\xff", b"x" * 7]), max_size=30
)


def lines_of(chunks: Iterable[bytes], limit: int = MAX_LINE_BYTES) -> tuple[list[bytes], int]:
    """The lines, and how many were too long."""
    blocks = list(whole_lines(chunks, limit))
    return [line for block in blocks for line in block.lines], sum(block.oversized for block in blocks)


def expected(content: bytes, limit: int = MAX_LINE_BYTES) -> tuple[list[bytes], int]:
    *lines, last = content.split(b"\n")
    kept = [line + b"\n" for line in lines if len(line) <= limit]
    if last and len(last) <= limit:
        kept.append(last)
    return kept, len(lines) + bool(last) - len(kept)


@given(st.lists(st.binary(max_size=8)))
def test_any_chunking_of_any_bytes_gives_the_same_lines(chunks: list[bytes]) -> None:
    assert lines_of(chunks) == expected(b"".join(chunks))


@given(_BYTES, st.integers(0, 9))
def test_lines_beyond_the_limit_are_left_out_and_counted_whatever_the_chunking(
    chunks: list[bytes], limit: int
) -> None:
    content = b"".join(chunks)
    lines = expected(content, limit)
    assert lines_of(chunks, limit) == lines
    assert lines_of([content], limit) == lines
    assert lines_of((content[i : i + 1] for i in range(len(content))), limit) == lines


@given(_BYTES, st.integers(0, 9))
def test_reading_on_from_the_end_of_any_block_gives_the_rest(chunks: list[bytes], limit: int) -> None:
    content = b"".join(chunks)
    lines, oversized = [], 0
    for block in whole_lines(chunks, limit):
        lines += block.lines
        oversized += block.oversized
        rest, left_out = lines_of([content[block.end :]], limit)
        assert (lines + rest, oversized + left_out) == expected(content, limit)
        assert content[: block.end].endswith(b"\n") or block.end == len(content)


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_of_just_the_limit_is_kept_and_one_more_byte_is_not(size: int, end: bytes) -> None:
    for content, lines, oversized in ((b"abcd", [b"abcd" + end], 0), (b"abcde", [], 1)):
        whole = b"1\n" + content + end
        chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
        assert lines_of(chunks, 4) == ([b"1\n", *lines], oversized)


def test_the_last_line_needs_no_line_feed() -> None:
    assert lines_of([b"a\nb"]) == ([b"a\n", b"b"], 0)


def test_a_line_feed_at_the_end_opens_no_further_line() -> None:
    assert lines_of([b"a\n", b"", b"b\n"]) == ([b"a\n", b"b\n"], 0)


def test_nothing_has_no_lines() -> None:
    assert list(whole_lines([])) == list(whole_lines([b"", b""])) == []


def test_blank_lines_and_carriage_returns_are_handed_on() -> None:
    assert lines_of([b"a\r\n\r\n\nb"]) == ([b"a\r\n", b"\r\n", b"\n", b"b"], 0)


def test_a_line_with_millions_of_values_is_left_out_and_counted() -> None:
    crowded = b"[" + b"{}," * 4_000_001 + b"{}]\n"
    chunks = [crowded[: 1 << 20], crowded[1 << 20 :] + b"1\n"]
    assert lines_of(chunks, len(crowded)) == ([b"1\n"], 1)
    sparse = b'["' + b"x" * len(crowded) + b'"]\n'
    assert lines_of([sparse[:9], sparse[9:]], len(sparse)) == ([sparse], 0)


def test_a_good_line_after_an_oversized_one_is_whole() -> None:
    assert lines_of([b"x" * 9, b"x" * 9 + b"\ngo", b"od\n", b"x" * 9], 4) == ([b"good\n"], 2)


def test_lines_come_as_soon_as_they_end() -> None:
    seen = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"a\nb", b"c\n", b"d"):
            seen.append(chunk)
            yield chunk

    blocks = whole_lines(chunks())
    assert (next(blocks).lines, seen) == ([b"a\n"], [b"a\nb"])
    assert (next(blocks).lines, len(seen)) == ([b"bc\n"], 2)


def test_a_large_chunk_comes_in_blocks_that_a_cache_can_hold() -> None:
    line = b"x" * 999 + b"\n"
    blocks = list(whole_lines([line * 2_000]))
    assert len(blocks) > 5
    assert [block.end for block in blocks] == sorted({block.end for block in blocks})
    assert blocks[-1].end == 2_000_000


def test_an_endless_line_is_not_held_in_memory() -> None:
    limit, size = 2_000_000, 100_000
    tracemalloc.start()
    try:
        # Each chunk is its own object, so that what is kept is what is counted: 100 MB in all.
        lines = lines_of((bytes(size) for _ in range(1000)), limit)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert lines == ([], 1)
    assert peak < limit + 5 * size


def test_the_limit_takes_a_request_with_twenty_megabytes_inline() -> None:
    base64 = 20 * 1024 * 1024 * 4 // 3
    assert base64 < MAX_LINE_BYTES
