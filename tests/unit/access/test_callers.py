"""Tell who calls, and which texts may become a host or a path."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.access.callers import MASTER, Caller
from batch_gateway.core.access.ids import check_id, check_place, is_location, is_project
from batch_gateway.core.errors import ApiError
from batch_gateway.gateway.http.authentication import Authenticator
from fakes import MemoryKeys


def authenticate(key: str | None, master_key: str | None) -> Caller:
    return Authenticator(master_key, MemoryKeys(), time.monotonic, lambda: datetime.now(UTC)).authenticate(
        key
    )


_ANY_TEXT = st.text(st.characters(exclude_categories=[]))


def test_the_master_key_lets_the_administrator_in() -> None:
    assert authenticate("sk-1234", "sk-1234") == Caller(api_key=MASTER, team=None)
    assert authenticate("schlüssel", "schlüssel").api_key == "master"


@pytest.mark.parametrize("master", ["sk-1234", None, ""])
@pytest.mark.parametrize("key", [None, ""])
def test_no_key_is_unauthenticated(key: str | None, master: str | None) -> None:
    with pytest.raises(ApiError) as refused:
        authenticate(key, master)
    assert (refused.value.status, refused.value.reason, refused.value.code) == (
        "UNAUTHENTICATED",
        "API_KEY_MISSING",
        401,
    )


@pytest.mark.parametrize("key", ["sk-123", "sk-12345", "SK-1234", " sk-1234", "sk-1234\0", "\ud800"])
def test_a_wrong_key_is_denied_with_a_status_that_clients_do_not_hide(key: str) -> None:
    with pytest.raises(ApiError) as refused:
        authenticate(key, "sk-1234")
    assert (refused.value.status, refused.value.reason, refused.value.code) == (
        "PERMISSION_DENIED",
        "API_KEY_INVALID",
        403,
    )


@pytest.mark.parametrize("master", [None, ""])
@given(_ANY_TEXT)
def test_without_a_master_key_nobody_is_let_in(master: str | None, key: str) -> None:
    with pytest.raises(ApiError):
        authenticate(key, master)


@given(_ANY_TEXT.filter(lambda key: key != "sk-1234"))
def test_no_other_key_is_let_in_and_none_is_repeated(key: str) -> None:
    with pytest.raises(ApiError) as refused:
        authenticate(key, "sk-1234")
    assert "sk-1234" not in str(refused.value.body())


@pytest.mark.parametrize(
    "location",
    [
        "global",
        "us",
        "eu",
        "us-central1",
        "europe-west12",
        "northamerica-northeast1",
        "me-central2",
        "africa-south1",
    ],
)
def test_googles_locations_are_locations(location: str) -> None:
    assert is_location(location)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "US-CENTRAL1",
        "us-central",
        "us-central1-a",
        "us-central1.evil.com",
        "evil.com/",
        "us-central1@evil.com",
        "us-central1:80",
        "us-central1#",
        "us-central1?",
        "us-central1\n",
        "us-central1\u0661",
        "..",
        "-",
        "us%2dcentral1",
        "-us-central1",
        "ru",
        "globally",
        f"{'a' * 21}-west1",
    ],
)
def test_what_would_bend_a_host_is_no_location(location: str) -> None:
    assert not is_location(location)


@pytest.mark.parametrize(
    "project",
    ["my-project", "abcdef", "a12345", f"a{'b' * 29}", "1", "123456789012", "example.com:my-project"],
)
def test_project_ids_and_numbers_are_projects(project: str) -> None:
    assert is_project(project)


@pytest.mark.parametrize(
    "project",
    [
        "",
        "abcde",
        f"a{'b' * 30}",
        "My-project",
        "1-project",
        "my-project-",
        "my_project",
        "my/project",
        "my-project\n",
        "..",
        ".",
        "my%2fproject",
        "my-project?",
        "my-project#",
        "my project",
        "\u0661\u0662",
        "9" * 20,
        "example:my-project",
        "example.com:",
    ],
)
def test_what_would_bend_a_path_is_no_project(project: str) -> None:
    assert not is_project(project)


@given(_ANY_TEXT)
def test_no_place_has_characters_that_mean_something_in_a_url(text: str) -> None:
    if is_location(text):
        assert text.isascii()
        assert text.replace("-", "").isalnum()
    if is_project(text):
        assert text.isascii()
        assert not set(text) & set("/\\%?#@ \n\r\t&=;")


def test_a_place_that_can_be_one_is_let_through() -> None:
    check_place("my-project", "us-central1")


@pytest.mark.parametrize(
    ("project", "location", "reason", "named"),
    [
        ("..", "us-central1", "PROJECT_INVALID", "'..'"),
        ("my-project", "evil.com", "LOCATION_INVALID", "'evil.com'"),
        ("..", "evil.com", "PROJECT_INVALID", "'..'"),
    ],
)
def test_a_place_that_cannot_be_one_is_an_invalid_argument(
    project: str, location: str, reason: str, named: str
) -> None:
    with pytest.raises(ApiError) as refused:
        check_place(project, location)
    assert (refused.value.status, refused.value.reason) == ("INVALID_ARGUMENT", reason)
    assert refused.value.message.startswith(named)


@pytest.mark.parametrize("value", ["1", "1234567890", "Ab_9-", "x" * 128])
def test_ids_are_let_through(value: str) -> None:
    check_id(value, "job")


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a%2fb", "a:cancel", "a?b", "a\n", "ä", "x" * 129])
def test_what_is_no_id_is_an_invalid_argument(value: str) -> None:
    with pytest.raises(ApiError, match="is not a valid operation id") as refused:
        check_id(value, "operation")
    assert (refused.value.status, refused.value.reason) == ("INVALID_ARGUMENT", "ID_INVALID")
