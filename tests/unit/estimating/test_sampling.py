"""Which bytes are read, which lines are meant by them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.estimating.sampling import (
    MOST_BYTES,
    MOST_OBJECTS,
    PLACES,
    Object,
    Place,
    lines_of,
    plan,
)
from batch_gateway.core.lines import MAX_LINE_BYTES


def objects(*sizes):
    return [Object("in", f"{number}.jsonl", number + 1, size) for number, size in enumerate(sizes)]


def chunks_of(content, place, size=7):
    start = max(0, place.start - 1)
    return [content[at : at + size] for at in range(start, len(content), size)]


def test_a_small_input_is_read_whole():
    found = objects(100, 0, MOST_BYTES // 2, MOST_BYTES // 4)
    assert plan(found) == [Place(each, 0, each.size) for each in found if each.size]
    assert plan([]) == []


@given(st.lists(st.integers(0, 3 * MOST_BYTES), min_size=1, max_size=MOST_OBJECTS * 2))
def test_of_any_input_a_bounded_part_is_read(sizes):
    places = plan(objects(*sizes))
    assert sum(place.size for place in places) <= MOST_BYTES
    assert len(places) <= MOST_OBJECTS
    assert bool(places) == any(sizes)
    for place in places:
        assert 0 <= place.start < place.start + place.size <= place.object.size
    spans = sorted((place.object.name, place.start, place.start + place.size) for place in places)
    for before, after in itertools.pairwise(spans):
        assert before[0] != after[0] or before[2] <= after[1], "no byte is read twice"


def test_of_many_small_objects_some_are_read_from_their_beginning():
    places = plan(objects(*[100_003] * 200))
    assert len(places) == PLACES
    assert {place.start for place in places} == {0}


def test_a_large_object_is_read_in_places_all_over_it():
    (large,) = objects(1000 * MOST_BYTES)
    places = plan([large])
    assert len(places) == PLACES
    assert places[0].start == 0
    assert places[-1].start > large.size * 9 // 10


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=30), st.data())
def test_every_line_is_in_one_place_and_one_only(lines, data):
    content = b"\n".join(lines)
    (whole,) = objects(len(content))
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(content) - 1)), max_size=4)))
    borders = [0, *cuts, max(len(content), (cuts or [0])[-1])]
    size = data.draw(st.integers(1, 50))
    found = []
    for start, end in itertools.pairwise(borders):
        place = Place(whole, start, end - start)
        found += lines_of(place, chunks_of(content, place, size))
    assert b"".join(line.content for line in found) == content
    assert sum(line.size for line in found) == len(content)


def test_lines_are_numbered_where_the_beginning_was_read():
    content = b"a\n\nbb\nccc"
    (whole,) = objects(len(content))
    first = lines_of(Place(whole, 0, 9), [content])
    assert [(line.content, line.number) for line in first] == [
        (b"a\n", 1),
        (b"\n", 2),
        (b"bb\n", 3),
        (b"ccc", 4),
    ]
    place = Place(whole, 2, 7)
    assert [(line.content, line.number) for line in lines_of(place, chunks_of(content, place))] == [
        *((b"\n", None), (b"bb\n", None), (b"ccc", None))
    ]


def test_a_line_that_is_too_long_is_not_held():
    content = b"a\n" + b"x" * (MAX_LINE_BYTES + 5) + b"\nb\n"
    (whole,) = objects(len(content))
    found = list(
        lines_of(
            Place(whole, 0, len(content)), [content[at : at + 10**6] for at in range(0, len(content), 10**6)]
        )
    )
    assert [line.content for line in found if line.content] == [b"a\n", b"b\n"]
    assert [line.content for line in found].count(None) == 1
    assert sum(line.size for line in found) == len(content)
