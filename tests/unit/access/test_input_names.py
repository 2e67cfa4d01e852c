"""Where input files go, and which names they may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.access import grants
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.access.input_names import input_folder_of, output_folder_of, parse_prefix, uri_of
from batch_gateway.core.access.limits import Grant
from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating.wildcards import prefix_of
from thorough import examples

FOLDER = "gs://in/teams/search"
ADMIN = Caller("master")


def key(*granted, team=None, key_id="k1", teams=()):
    return Caller(
        "nightly", team, key_id, (Grant(allowed_uri_prefixes=granted), Grant(allowed_uri_prefixes=teams))
    )


@pytest.mark.parametrize(
    ("caller", "folder"),
    [
        (ADMIN, "gs://in/up/master"),
        (key(), "gs://in/up/keys/k1"),
        (key(team="search"), "gs://in/up/teams/search"),
        (key("gs://a/x", "gs://b"), "gs://a/x"),
        (key("bq://p.d", "gs://B/"), "gs://b"),
        (key(team="search", teams=("gs://t/s",)), "gs://t/s"),
        # The first that both may use.
        (key("gs://a", "gs://t/s/mine", teams=("gs://t/s",), team="s"), "gs://t/s/mine"),
        (key("gs://t", teams=("gs://t/s",), team="s"), "gs://t/s"),
        (key("bq://p.d", "gs://in/up/keys/k1"), "gs://in/up/keys/k1"),
    ],
)
def test_input_goes_to_the_first_prefix_of_the_key_or_else_to_a_input_folder_of_its_own(caller, folder):
    assert input_folder_of(caller, "gs://in/up") == folder
    for grant in caller.grants:
        if grant.allowed_uri_prefixes:
            grants.check_uri(grant.allowed_uri_prefixes, f"{folder}/x")


@pytest.mark.parametrize(
    ("caller", "prefix", "said"),
    [
        (ADMIN, None, "input_prefix"),
        (key(), None, "input_prefix"),
        (key("bq://p.d"), "gs://in", "allowed_uri_prefixes"),
        (key("gs://a", teams=("gs://b",), team="s"), "gs://in", "may use"),
    ],
)
def test_without_a_place_the_error_says_what_to_set(caller, prefix, said):
    with pytest.raises(ApiError) as refused:
        input_folder_of(caller, prefix)
    assert (refused.value.status, refused.value.reason) == ("FAILED_PRECONDITION", "INPUT_PREFIX_MISSING")
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("caller", "folder"),
    [
        (ADMIN, "gs://out/jobs/master"),
        (key(), "gs://out/jobs/keys/k1"),
        (key(team="search"), "gs://out/jobs/teams/search"),
        (key("gs://in/x", "gs://OUT/x", "gs://out/y"), "gs://out/x"),
        # The first that both may use.
        (key("gs://in", "gs://out", teams=("gs://in", "gs://out/s"), team="s"), "gs://out/s"),
        (key("gs://in", "gs://out/jobs/keys/k1"), "gs://out/jobs/keys/k1"),
        # Nothing there that they may use: beside the input.
        (key("gs://mine/x"), "gs://mine/x"),
        (key("gs://mine/x", "gs://output/x"), "gs://mine/x"),
        (key("gs://in", "gs://out/a", teams=("gs://in", "gs://out/b"), team="s"), "gs://in"),
    ],
)
def test_output_goes_to_the_first_prefix_of_the_output_bucket_or_else_to_a_folder_of_its_own(caller, folder):
    beside = input_folder_of(caller, "gs://in/up")
    assert output_folder_of(caller, "gs://out/jobs", beside) == folder
    assert output_folder_of(caller, None, beside) == beside
    for grant in caller.grants:
        if grant.allowed_uri_prefixes:
            grants.check_uri(grant.allowed_uri_prefixes, f"{folder}/x")


TEAMS = st.from_regex(r"[a-z0-9_-]{1,63}", fullmatch=True)


@given(st.lists(TEAMS, min_size=2, max_size=2, unique=True))
def test_no_two_teams_share_a_folder_or_have_one_within_the_other_s(teams):
    first, second = (input_folder_of(key(team=team), "gs://in") for team in teams)
    as_key = input_folder_of(key(key_id=teams[0]), "gs://in")
    for one, other in ((first, second), (second, first), (first, as_key), (as_key, first)):
        assert not grants.is_granted([one], f"{other}/x")


GOOD = [
    "rows.jsonl",
    "nightly/2026-11-28.jsonl",
    "a",
    "größe/東京.jsonl",
    "..a/b..",
    "a+b=c,d;e@f!g~h'i(j)",
    "🚀",
]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_stays_as_it_is(name):
    assert uri_of(FOLDER, name) == f"{FOLDER}/{name}"


def test_a_name_is_composed():
    assert uri_of(FOLDER, "gro\u0308ße") == f"{FOLDER}/größe"


BAD = [
    *("", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../b", "a/.", "./a"),
    *(
        "a b",
        " a",
        "a\n",
        "a\0b",
        "a\tb",
        "\x7f",
        "a\u00a0b",
        "a\u200bb",
        "a\u202eb",
        "\ufeffa",
        "a\ufffd",
        "\ud800",
    ),
    *("a*", "a?b", "[ab]", "{a,b}", "a#1", "a\\b", "..\\b", "%2e%2e/b", "a%00"),
    *("predictions.jsonl", "run/prediction-model-2026/x.jsonl", "x/predictions.jsonl-00000-of-00002"),
    *("000000000001.jsonl", "incremental_predictions/x.jsonl"),
    *("a" * 1013, "ü" * 507),
]


@pytest.mark.parametrize("name", BAD)
def test_a_bad_name_is_refused(name):
    with pytest.raises(ValueError, match="name: "):
        uri_of(FOLDER, name)


def test_the_length_is_that_of_the_whole_name_in_utf_8():
    assert len(uri_of(FOLDER, "a" * 1011).removeprefix("gs://in/")) == 1024
    assert uri_of(FOLDER, "ü" * 505)
    with pytest.raises(ValueError, match="well-known"):
        uri_of("gs://in", ".well-known/acme-challenge/x")


@examples(500)
@given(
    st.one_of(st.text(), st.lists(st.sampled_from([*"ab/.* %\\#\u0308\n", "..", "//", "gs:"])).map("".join))
)
def test_a_name_that_is_taken_means_the_same_to_everybody(name):
    try:
        uri = uri_of(FOLDER, name)
    except ValueError:
        return
    grants.check_uri([FOLDER], uri)
    assert grants.normalize_uri(uri) == uri
    assert prefix_of(uri) is None
    assert not {"", ".", ".."} & set(uri.removeprefix("gs://").split("/"))
    assert uri_of(FOLDER, uri.removeprefix(f"{FOLDER}/")) == uri


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("gs://in", "gs://in"),
        ("gs://in/", "gs://in"),
        ("gs://in/a/b", "gs://in/a/b"),
        *((text, None) for text in ("", "in", "gs://", "gs:///a", "bq://p.d", "gs://in/*", "gs://in/a/../b")),
        *(
            (text, None)
            for text in ("gs://in//a", "gs://i n", "s3://in", "gs://in/a?b", "gs://in/a#b", "gs://-in")
        ),
    ],
)
def test_a_prefix_is_read_strictly(text, prefix):
    assert parse_prefix(text) == prefix
