"""CSV that any reader reads, and no spreadsheet runs."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.spend import csv_rows

anything = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.lists(anything, min_size=2, max_size=2)))
def test_what_is_written_is_read(rows):
    data = b"".join(csv_rows.csv_chunks(["a", "b"], rows)).decode()
    assert list(csv.reader(io.StringIO(data, newline=""))) == [["a", "b"], *rows]


def test_lines_end_as_rfc_4180_says_and_quotes_are_doubled():
    data = b"".join(csv_rows.csv_chunks(["a", "b"], [["1,2", 'say "x"'], ["line\nfeed", ""]]))
    assert data == b'a,b\r\n"1,2","say ""x"""\r\n"line\nfeed",\r\n'


@given(anything)
def test_no_text_is_a_formula(value):
    cell = csv_rows.text(value)
    assert cell[:1] not in set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
    assert cell in (value, f"'{value}")


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_what_could_be_a_formula_is_marked(value):
    assert csv_rows.text(value) == f"'{value}"


@pytest.mark.parametrize("value", ["search", "a=b", " =1", "'=1", "größe", ""])
def test_other_text_stays(value):
    assert csv_rows.text(value) == value


def test_nothing_is_an_empty_cell():
    assert csv_rows.text(None) == ""


def test_a_header_may_be_somebody_elses_word():
    assert b"".join(csv_rows.csv_chunks(["=label"], [])) == b"'=label\r\n"


def test_chunks_come_as_rows_do():
    taken = []

    def rows():
        for number in range(30_000):
            taken.append(number)
            yield [str(number), "x" * 20]

    chunks = csv_rows.csv_chunks(["n", "x"], rows())
    first = next(chunks)
    assert 60_000 < len(first) < 70_000
    assert len(taken) < 4000
    assert sum(chunk.count(b"\r\n") for chunk in [first, *chunks]) == 30_001
