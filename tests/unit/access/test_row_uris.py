"""Find the files that rows name: however they are written, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.access import row_uris
from batch_gateway.core.access.limits import Grant
from batch_gateway.core.access.row_grants import Denied, RowGrants, uri_grants
from batch_gateway.core.access.row_uris import MOST_PLACES, TooManyError, uris_in
from thorough import examples

URI = "gs://payroll/2026.pdf"
MINE = RowGrants({"key": ("gs://mine/docs", "gs://other"), "team": ("gs://mine",)})


def found(line):
    return set(uris_in(line if isinstance(line, bytes) else line.encode()))


def part(name, value=URI):
    return json.dumps({"request": {"contents": [{"role": "user", "parts": [{"fileData": {name: value}}]}]}})


NAMES = [
    "fileUri",
    "file_uri",
    "FILEURI",
    "gcsUri",
    "gcs_uri",
    "GCS_URI",
    "uri",
    "url",
    "image_url",
    "content",
    "x",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_found_under_whatever_name(name):
    assert found(part(name)) == {URI}


WRITTEN = [
    r"gs:\/\/payroll\/2026.pdf",
    r"\u0067s://payroll/2026.pdf",
    r"g\u0073://payroll/2026.pdf",
    r"\u0067\u0073\u003a\u002f\u002fpayroll\u002F2026.pdf",
    r"gs\u003A//payroll/2026.pdf",
    r" gs://payroll/2026.pdf",
    r"\t\r\n gs://payroll/2026.pdf",
    r"\u0020\u00a0gs://payroll/2026.pdf",
    r"\u200bgs://payroll/2026.pdf",
    r"(\"gs://payroll/2026.pdf",
    " " * 100 + "gs://payroll/2026.pdf",
    r"\u0020" * 40 + "gs://payroll/2026.pdf",
    r"\t" * 40 + "gs://payroll/2026.pdf",
    r"\"" * 40 + "gs://payroll/2026.pdf",
    "\u3000gs://payroll/2026.pdf",
]


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("before", ["", '{"text": "a text"}\n', '{"a": "gs://b/c"}\n'])
def test_a_file_is_found_however_it_is_written(written, before):
    line = f'{before}{{"request": {{"parts": [{{"fileUri": "{written}"}}]}}}}'
    assert URI in found(line)
    assert MINE.find_denied([before.encode(), line.removeprefix(before).encode()])


@pytest.mark.parametrize(
    "uri", ["GS://payroll/x", "Gs://payroll/x", "gs:/payroll/x", "bq://p.d.t", "BQ://p.d.t", "gs://"]
)
def test_a_file_is_found_in_any_casing(uri):
    assert found(part("fileUri", uri)) == {uri}


def nested(value, depth):
    for _ in range(depth):
        value = {"a": [value]}
    return value


ANYWHERE = [
    {"uris": ["https://a", {"text": "b"}, URI]},
    {"text": [URI]},
    {"text": {"uri": URI}},
    {"Text": URI},
    [URI],
    nested({"fileUri": URI}, 300),
    {"request": json.dumps({"fileData": {"fileUri": URI}})},
    {"request": json.dumps({"contents": json.dumps([{"fileUri": URI}])})},
    {"request": json.dumps({"fileData": {"fileUri": URI}}).replace("/", "\\/")},
    {"request": json.dumps({"a": json.dumps({"fileUri": URI}).replace("/", "\\/")})},
    {"text": "a", "x": URI},
    {"a": 'text":', "b": URI},
    {URI: "a name"},
]


@pytest.mark.parametrize("row", ANYWHERE)
def test_a_file_is_found_anywhere(row):
    assert found(json.dumps(row)) == {URI}
    assert found(json.dumps(row, separators=(",", ":"))) == {URI}
    assert found(json.dumps(row).replace("/", "\\/").replace("\\\\/", "\\/")) == {URI}


@pytest.mark.parametrize("member", ["text", "fileUri"])
def test_of_equal_names_all_count(member):
    line = f'{{"fileUri": "{URI}", "fileUri": "gs://mine/docs/x", "{member}": "gs://mine/docs/y"}}'
    assert URI in found(line)
    assert URI in found(line.replace("//", r"\/\/"))


TEXTS = [
    {"text": URI},
    {"text": f"Summarize {URI}, please."},
    {"text": f'"{URI}"'},
    {"text": f"\n{URI}"},
    {"text": f'{{"fileUri": "{URI}"}}'},
    {"content": f'{{"fileUri": "{URI}"}}'},
    {"content": f"Summarize {URI}, please."},
    {"content": "things:/gs:/"},
    {"fileUri": "https://example.com/gs://payroll/x"},
    {"a": "gs:"},
    {"a": "gs: hello"},
    {"a": "éügs://payroll/x".replace("éü", "a")},
    {"a": "2gs://x"},
]


@pytest.mark.parametrize("row", TEXTS)
def test_texts_that_mention_a_file_do_not_name_it(row):
    for ascii_only in (True, False):
        line = json.dumps(row, ensure_ascii=ascii_only)
        assert found(line) == set()
        assert found(line.replace("/", "\\/")) == set()


LEADS = st.text(st.sampled_from(" \t\n\"'\\/(\u00a0\u200bé東gsabq:0u"), max_size=70)


def slow(value):
    """Return the URIs that a parser and a look at every text find."""
    texts, stack = [], [("", value)]
    while stack:
        name, value = stack.pop()
        if isinstance(value, dict):
            stack += [*value.items(), *(("", name) for name in value)]
        elif isinstance(value, list):
            stack += [("", each) for each in value]
        elif isinstance(value, str) and name != "text" and (match := row_uris._URI.match(value)):
            texts.append(match[1])
    return set(texts)


JSON = st.recursive(
    st.builds(
        str.__add__, LEADS, st.sampled_from(["", "gs://b/x", "gs:/", "GS://b", "bq://p.d.t y", "Bq:x", "n"])
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["text", "fileUri", "a", "content", "gs://b"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@examples(500)
@given(
    st.lists(JSON.map(lambda value: {"request": value}), min_size=1, max_size=4), st.booleans(), st.booleans()
)
def test_the_quick_search_finds_what_a_parser_would(rows, ascii_only, escaped):
    lines = [json.dumps(row, ensure_ascii=ascii_only) for row in rows]
    if escaped:
        lines = [line.replace("/", "\\/") for line in lines]
    expected = set().union(*map(slow, rows))
    got = {uri.strip() for line in lines for uri in found(line)}
    assert {uri.strip() for uri in expected} <= got
    # Beyond that, only what is in JSON within a text.
    assert all(any(uri in line for line in map(str, rows)) or "{" in str(rows) for uri in got)


@examples(300)
@given(st.binary(max_size=200) | st.text(st.sampled_from('gs:/"\\u0067 \n{}[],text')).map(str.encode))
def test_any_bytes_can_be_searched(data):
    assert all(isinstance(uri, str) for uri in uris_in(data))


def test_a_line_with_too_many_places_is_not_searched():
    many = MOST_PLACES + 1
    for line in (b'"gs:/",' * many, b'"gs:\\/a":' * many + b'"\\u0067"' * many, b'"\\u0067",' * many * 3):
        with pytest.raises(TooManyError):
            list(uris_in(line))
    assert not list(uris_in(b'{"text": "' + b"see gs: / and https: " * many + b'"}'))


def test_what_is_denied_is_named_with_its_line():
    lines = [b'{"a": "gs://mine/docs/x"}\n', b"\n", part("fileUri").encode() + b"\n"]
    assert MINE.find_denied(lines) == Denied(URI, 2)
    assert MINE.find_denied(lines[:2]) is None


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("gs://mine/docs/a.pdf", True),
        ("gs://mine/docs/My report 2026.pdf", True),
        ("GS://MINE/docs/a.pdf", True),
        ("gs://mine/docs", True),
        ("gs://mine/docs2/a.pdf", False),
        ("gs://mine/docs/../x", False),
        ("gs://mine /docs/x", False),
        ("gs://other/x", False),  # the key may, its team may not
        ("gs:/mine/docs/a.pdf", False),
        ("gs://mine/docs/%2e%2e/x", False),
    ],
)
def test_files_are_held_against_the_prefixes_of_key_and_team(uri, allowed):
    assert (MINE.find_denied([part("fileUri", uri).encode()]) is None) is allowed


NAMES_AND_MARKS = st.text(st.sampled_from('amx./\\"-*? %'), max_size=12)


@examples(500)
@given(
    st.sampled_from(["mine", "mine/docs", "mined", "MINE", "other/a", "payroll"]),
    NAMES_AND_MARKS,
    st.sampled_from(["fileUri", "text", "content"]),
    st.booleans(),
)
def test_passing_over_plain_uris_changes_no_verdict(bucket, rest, name, escaped):
    line = json.dumps({name: f"gs://{bucket}/{rest}", "text": "gs://payroll/x"})
    line = (line.replace("/", "\\/") if escaped else line).encode()
    slowly = all(MINE._allows(uri) for uri in found(line))
    assert (MINE.find_denied([line]) is None) is slowly


def test_of_a_prefix_with_marks_each_is_meant():
    dotted = RowGrants({"key": ("gs://a.b/c",)})
    assert dotted.find_denied([part("fileUri", "gs://a.b/c/x").encode()]) is None
    assert dotted.find_denied([part("fileUri", "gs://aXb/c/x").encode()]) == Denied("gs://aXb/c/x", 0)


def test_only_what_is_limited_counts():
    assert uri_grants((Grant(), Grant())) == {}
    assert uri_grants((Grant(), Grant(allowed_uri_prefixes=("gs://a",)))) == {"team": ("gs://a",)}
    assert str(MINE) == "gs://mine, gs://mine/docs, gs://other"


def output(request, response=None):
    return json.dumps({"status": "", "request": request, "response": response or {}}).encode() + b"\n"


def test_of_output_only_what_repeats_the_input_counts():
    cited = {"candidates": [{"groundingMetadata": {"groundingChunks": [{"retrievedContext": {"uri": URI}}]}}]}
    fine = {"contents": [{"parts": [{"fileData": {"fileUri": "gs://mine/docs/x"}}, {"text": URI}]}]}
    assert MINE.find_denied_in_output([output(fine, cited), output(fine)]) is None
    assert MINE.find_denied_in_output([output(fine, cited), output({"fileUri": URI}, cited)]) == URI
    assert MINE.find_denied_in_output([output({"fileUri": URI}).replace(b"/", b"\\/")]) == URI
    assert MINE.find_denied_in_output([b'{"fileUri": "gs://payroll/x"\n']) is None
    assert MINE.find_denied_in_output([b'"gs:/",' * (MOST_PLACES + 1)]) is None
