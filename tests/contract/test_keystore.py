"""The KeyStore and Audit ports: the one in memory and the one in Firestore keep the same promises."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from google.api_core.exceptions import AlreadyExists
from google.cloud.firestore_v1 import DELETE_FIELD, WriteBatch

from batch_gateway.adapters.firestore import FirestoreKeys
from batch_gateway.adapters.firestore import keys as adapter
from batch_gateway.core.access.keys import KeyRecord, TeamRecord, token_of
from batch_gateway.core.access.label_policy import LabelPolicy
from batch_gateway.core.access.limits import Budget, Grant
from batch_gateway.ports import (
    AliasTakenError,
    Audit,
    AuditEntry,
    KeyStore,
    StoreUnavailableError,
    TeamDeletedError,
)
from contract.conftest import firestore_at
from fakes import MemoryKeys

NOW = datetime(2026, 11, 22, 10, 11, 12, 123456, tzinfo=UTC)
MINUTE = "2026-11-22T10:11"
HANGS_SECONDS = 45
"""Without a limit of ours the SDK waits for minutes; with it some four seconds."""
FULL_GRANT = Grant(
    ("gemini-*", "größe"), ("acme-batch",), ("us-central1", "global"), ("gs://b/a b", "bq://p.d"), 7
)
FULL_BUDGET = Budget(10**18, "1mo")
FULL_LABELS = LabelPolicy({"kostenstelle": "42", "größe": "東京", "leer": ""}, ("campaign", "größe"))
METADATA = {
    "a.b": {"c/d": [1, "x", None, True, 1.5, {"e`f": "größe 🚀"}]},
    "n": 2**53 + 1,
    "empty": {},
    "none": [],
}
ODD_METADATA = {
    "nested lists": {"x": [[1, 2], [3]]},
    "empty name": {"": 1},
    "reserved name": {"__x__": 1},
    "large number": {"n": 2**64 - 1},
    "deep": {
        "a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {}}}}}}}}}}}}}}
    },
}


def keys_at(host):
    return FirestoreKeys(firestore_at(host)._client)


@pytest.fixture
def firestore_keys(firestore_host):
    return keys_at(firestore_host)


@pytest.fixture(params=["memory", "firestore"])
def keys(request):
    """The two ports, twice."""
    return MemoryKeys() if request.param == "memory" else request.getfixturevalue("firestore_keys")


def record(number=1, secret=None, **changes):
    given = {
        "token": token_of(secret or f"sk-{number}"),
        "key_id": f"id-{number}",
        "key_name": "sk-...abcd",
        "key_alias": f"alias-{number}",
        "created_at": NOW,
        "updated_at": NOW,
        "created_by": "master",
    }
    return KeyRecord(**{**given, **changes})


FULL_KEY = record(
    key_alias="größe / 東京 `x` 🚀",
    updated_at=NOW + timedelta(microseconds=1),
    team_id="search",
    role="viewer",
    grant=FULL_GRANT,
    budget=FULL_BUDGET,
    metadata=METADATA,
    expires=NOW + timedelta(days=400),
    blocked=True,
    webhook_url="https://hooks.example.com/größe",
    webhook_secret="whsec_" + "A" * 32,
    labels=FULL_LABELS,
    last_used_at=NOW.replace(minute=0, second=0, microsecond=0),
)
FULL_TEAM = TeamRecord(
    "search", NOW, NOW, "Suche 🚀", FULL_GRANT, FULL_BUDGET, METADATA, blocked=True, labels=FULL_LABELS
)


def set_alias(alias):
    return lambda key: msgspec.structs.replace(key, key_alias=alias)


def in_threads(calls):
    """Results of calls that begin at once; an error counts as a result."""
    barrier = threading.Barrier(len(calls))

    def run(call):
        barrier.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - a test looks at it
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_an_empty_store_has_nothing(keys):
    assert keys.get_key(token_of("x")) is None
    assert keys.change_key(token_of("x"), lambda key: key) is None
    assert keys.delete_key(token_of("x")) is None
    assert keys.list_keys() == keys.list_keys("search") == keys.list_teams() == []
    assert keys.count_keys() == keys.count_teams() == 0
    assert keys.get_team("search") is None
    assert keys.change_team("search", lambda team: team) is None
    keys.delete_team("search")
    assert keys.read(None, None, 10) == []


@pytest.mark.parametrize("key", [record(), FULL_KEY], ids=["bare", "full"])
def test_a_key_comes_back_as_it_was(keys, key):
    keys.add_key(key)

    assert keys.get_key(key.token) == key
    assert keys.list_keys() == [key]
    assert keys.change_key(key.token, lambda same: same) == key
    assert keys.delete_key(key.token) == key
    assert keys.get_key(key.token) is None


def test_keys_and_teams_are_counted_and_listed_however_many(keys, monkeypatch):
    monkeypatch.setattr(adapter, "_PAGE", 3)
    for number in range(7):
        keys.add_key(record(number, team_id="search" if number % 2 else None))
    for number in range(6):
        keys.change_team(f"t{number}", lambda _, n=number: TeamRecord(f"t{n}", NOW, NOW))

    assert (keys.count_keys(), keys.count_teams()) == (7, 6)
    assert [key.key_alias for key in keys.list_keys()] == [f"alias-{number}" for number in range(7)]
    assert [key.key_alias for key in keys.list_keys("search")] == ["alias-1", "alias-3", "alias-5"]
    assert [team.team_id for team in keys.list_teams()] == [f"t{number}" for number in range(6)]


def test_every_field_of_a_key_and_a_team_was_set():
    for full, bare in ((FULL_KEY, record()), (FULL_TEAM, TeamRecord("x", NOW, NOW))):
        defaults = {field.name for field in msgspec.structs.fields(type(full)) if not field.required}
        assert all(getattr(full, name) != getattr(bare, name) for name in defaults)


@pytest.mark.parametrize("metadata", ODD_METADATA.values(), ids=ODD_METADATA)
def test_metadata_may_be_any_json_object(keys, metadata):
    keys.add_key(record(metadata=metadata))
    assert keys.get_key(record().token).metadata == metadata


@pytest.mark.parametrize("team", [TeamRecord("search", NOW, NOW), FULL_TEAM], ids=["bare", "full"])
def test_a_team_comes_back_as_it_was(keys, team):
    assert keys.change_team("search", lambda _: team) == team

    assert keys.get_team("search") == team
    assert keys.list_teams() == [team]
    keys.delete_team("search")
    assert keys.list_teams() == []


def test_a_default_label_that_is_taken_away_is_gone(keys):
    keys.add_key(FULL_KEY)
    bare = LabelPolicy({"team-x": "1"})

    keys.change_key(FULL_KEY.token, lambda key: msgspec.structs.replace(key, labels=bare))

    assert keys.get_key(FULL_KEY.token).labels == bare


def test_keys_and_teams_from_before_there_were_labels_have_none(firestore_keys):
    firestore_keys.add_key(FULL_KEY)
    firestore_keys.change_team("search", lambda _: FULL_TEAM)
    for document in (firestore_keys._key(FULL_KEY.token), firestore_keys._team("search")):
        document.update({"labels": DELETE_FIELD})

    assert firestore_keys.get_key(FULL_KEY.token).labels == LabelPolicy()
    assert firestore_keys.get_team("search").labels == LabelPolicy()


def test_the_id_of_a_deleted_team_is_never_free_again(keys):
    keys.change_team("search", lambda _: FULL_TEAM)
    keys.change_team("ads", lambda _: TeamRecord("ads", NOW, NOW))
    keys.delete_team("search")
    keys.delete_team("search")

    for change in (lambda _: FULL_TEAM, lambda team: team):
        with pytest.raises(TeamDeletedError):
            keys.change_team("search", change)

    assert keys.get_team("search") is None
    assert [team.team_id for team in keys.list_teams()] == ["ads"]


def test_an_id_that_no_team_had_is_not_taken_by_deleting_it(keys):
    keys.delete_team("search")

    assert keys.change_team("search", lambda _: FULL_TEAM) == FULL_TEAM


@pytest.mark.parametrize("team_id", ["a/b", "", ".", "..", "__x__", "größe", "x" * 2000], ids=ascii)
def test_an_odd_id_is_that_of_no_team(keys, team_id):
    assert keys.get_team(team_id) is None


def test_a_change_of_a_team_sees_it_as_it_stands(keys):
    team = TeamRecord("search", NOW, NOW)
    seen = []

    def change(old):
        seen.append(old)
        return team if old is None else None

    assert keys.change_team("search", change) == team
    assert keys.change_team("search", change) is None
    assert seen == [None, team]
    assert keys.get_team("search") == team


def test_one_of_many_at_once_makes_a_team(keys):
    def make(number):
        team = TeamRecord("search", NOW, NOW, str(number))
        return lambda: keys.change_team("search", lambda old: None if old else team)

    made = [team for team in in_threads([make(number) for number in range(8)]) if team is not None]

    assert made == [keys.get_team("search")]


def test_changes_at_once_are_all_kept(keys):
    keys.add_key(record())

    def count(key):
        return msgspec.structs.replace(key, metadata={"n": key.metadata.get("n", 0) + 1})

    results = in_threads([lambda: keys.change_key(record().token, count)] * 8)

    done = [result for result in results if isinstance(result, KeyRecord)]
    assert keys.get_key(record().token).metadata["n"] == len(done) >= 1
    assert {type(result) for result in results} <= {KeyRecord, StoreUnavailableError}


def test_keys_are_listed_by_alias_and_by_team(keys):
    for number, team in ((3, "search"), (1, "ads"), (2, "search"), (4, None)):
        keys.add_key(record(number, team_id=team))

    assert [key.key_id for key in keys.list_keys()] == ["id-1", "id-2", "id-3", "id-4"]
    assert [key.key_id for key in keys.list_keys("search")] == ["id-2", "id-3"]


def test_an_alias_has_one_owner(keys):
    keys.add_key(record(1))
    keys.add_key(record(2))

    with pytest.raises(AliasTakenError, match="alias-1"):
        keys.add_key(record(3, key_alias="alias-1"))
    with pytest.raises(AliasTakenError, match="alias-1"):
        keys.change_key(record(2).token, set_alias("alias-1"))
    assert keys.get_key(record(3).token) is None
    assert keys.get_key(record(2).token) == record(2)


def test_an_alias_that_was_given_up_is_free(keys):
    keys.add_key(record(1))
    keys.change_key(record(1).token, set_alias("other"))
    keys.add_key(record(2, key_alias="alias-1"))
    keys.delete_key(record(1).token)
    keys.add_key(record(3, key_alias="other"))

    assert [key.key_alias for key in keys.list_keys()] == ["alias-1", "other"]


def test_one_of_many_at_once_gets_an_alias(keys):
    results = in_threads([lambda n=n: keys.add_key(record(n, key_alias="wanted")) for n in range(10)])

    assert results.count(None) == 1
    assert {type(result) for result in results} == {type(None), AliasTakenError}
    assert len(keys.list_keys()) == 1


def test_one_of_many_at_once_renames_itself(keys):
    for number in range(8):
        keys.add_key(record(number))

    results = in_threads(
        [lambda n=n: keys.change_key(record(n).token, set_alias("wanted")) for n in range(8)]
    )

    assert [type(result) for result in results].count(KeyRecord) == 1
    assert [key.key_alias for key in keys.list_keys()].count("wanted") == 1


def test_a_second_secret_shares_the_alias_until_the_last_is_gone(keys):
    first, second = record(), record(secret="sk-rotated")
    keys.add_key(first)
    keys.add_key(second)
    keys.delete_key(first.token)

    with pytest.raises(AliasTakenError):
        keys.add_key(record(2, key_alias="alias-1"))
    keys.delete_key(second.token)
    keys.add_key(record(2, key_alias="alias-1"))


def rotated(key):
    ended = msgspec.structs.replace(key, expires=NOW)
    return ended, msgspec.structs.replace(key, token=token_of("sk-rotated"))


def test_a_rotation_ends_one_secret_and_adds_another(keys):
    keys.add_key(record())

    assert keys.rotate_key(record().token, rotated) == (record(), rotated(record())[1])
    assert keys.get_key(record().token) == rotated(record())[0]
    assert keys.get_key(token_of("sk-rotated")) == rotated(record())[1]
    assert keys.rotate_key("0" * 64, rotated) is None


def test_a_rotation_copies_what_a_change_at_the_same_time_has_made_of_the_key(firestore_keys):
    firestore_keys.add_key(record())

    def overtaken(key):
        if not key.blocked:
            firestore_keys.change_key(key.token, lambda same: msgspec.structs.replace(same, blocked=True))
        return rotated(key)

    firestore_keys.rotate_key(record().token, overtaken)

    assert firestore_keys.get_key(token_of("sk-rotated")).blocked
    assert firestore_keys.get_key(record().token).blocked


@pytest.mark.parametrize("add", ["add_key", "rotate_key"])
def test_a_secret_whose_answer_is_lost_is_added_once(firestore_keys, monkeypatch, add):
    """The client sends the commit again, and Firestore refuses it, because it was there already."""
    original, lost = WriteBatch.commit, []
    if add == "rotate_key":
        firestore_keys.add_key(record())

    def commit_and_lose_the_answer(batch, **given):
        answer = original(batch, **given)
        if not lost:
            lost.append(answer)
            raise AlreadyExists("the document is there")
        return answer

    monkeypatch.setattr(WriteBatch, "commit", commit_and_lose_the_answer)

    if add == "add_key":
        firestore_keys.add_key(record())
        assert firestore_keys.get_key(record().token) == record()
    else:
        assert firestore_keys.rotate_key(record().token, rotated)[1] == rotated(record())[1]
        assert firestore_keys.count_keys() == 2
    assert lost


def test_a_secret_that_is_renamed_does_not_free_the_alias_of_the_other(keys):
    keys.add_key(record())
    keys.add_key(record(secret="sk-rotated"))
    keys.change_key(token_of("sk-rotated"), set_alias("after"))

    with pytest.raises(AliasTakenError):
        keys.add_key(record(2, key_alias="alias-1"))


def test_deleted_at_once_a_key_is_deleted_once(keys):
    keys.add_key(record())

    results = in_threads([lambda: keys.delete_key(record().token)] * 6)

    assert [result for result in results if result is not None] == [record()]


@pytest.mark.parametrize(("portion", "limit"), [(1, 19), (4, 40), (7, 20)])
def test_sixteen_at_once_never_take_more_than_the_limit(keys, portion, limit):
    def take_some():
        return sum(keys.take("key:x", MINUTE, portion, limit) for _ in range(4))

    results = in_threads([take_some] * 16)

    taken = [result for result in results if isinstance(result, int)]
    assert sum(taken) <= limit
    assert {type(result) for result in results} <= {int, StoreUnavailableError}
    assert keys.take("key:x", MINUTE, portion, limit) in {0, *range(1, portion + 1)}


def test_of_sixteen_at_once_none_goes_uncounted(keys):
    """Whoever takes an outage for leave to go on would let them all through."""
    results = in_threads([lambda: keys.take("key:x", MINUTE, 1, 10)] * 16)

    assert sorted(results, key=str) == [0] * 6 + [1] * 10


def test_portions_add_up_to_the_limit(keys):
    assert [keys.take("key:x", MINUTE, 4, 10) for _ in range(4)] == [4, 4, 2, 0]
    assert keys.take("key:x", "2026-11-22T10:12", 4, 10) == 4
    assert keys.take("team:x", MINUTE, 4, 10) == 4
    assert keys.take("key:x", MINUTE, 4, 5) == 0, "a limit that was lowered"
    assert keys.take("key:x", MINUTE, 4, 12) == 2, "and one that was raised"


def entry(seconds=0, **changes):
    given = {"actor": "größe", "action": "job.create", "target": "projects/p", "outcome": "OK"}
    return AuditEntry(NOW + timedelta(seconds=seconds), **{**given, **changes})


def test_entries_come_back_as_they_were_the_newest_first(keys):
    for seconds in (2, 0, 1):
        keys.append(entry(seconds, target=f"東京/{seconds}"))

    assert keys.read(None, None, 10) == [entry(s, target=f"東京/{s}") for s in (2, 1, 0)]
    assert keys.read(None, None, 2) == [entry(s, target=f"東京/{s}") for s in (2, 1)]


def test_a_range_is_from_its_start_to_before_its_end(keys):
    for seconds in range(5):
        keys.append(entry(seconds))

    def between(start, end):
        moments = (None if s is None else NOW + timedelta(seconds=s) for s in (start, end))
        return [(found.time - NOW).seconds for found in keys.read(*moments, 10)]

    assert between(1, 3) == [2, 1]
    assert between(3, None) == [4, 3]
    assert between(None, 2) == [1, 0]
    assert between(9, None) == between(3, 3) == []


def test_entries_are_found_by_their_fields_within_a_range(keys):
    for seconds, (actor, action) in enumerate([("ada", "a"), ("bob", "a"), ("ada", "b"), ("ada", "a")]):
        keys.append(entry(seconds, actor=actor, action=action, target="x/y"))

    def found(*moments, limit=10, **equal):
        return [(each.time - NOW).seconds for each in keys.read(*moments, limit, equal)]

    assert found(None, None, actor="ada") == [3, 2, 0]
    assert found(None, None, actor="ada", action="a", target="x/y") == [3, 0]
    assert found(None, NOW + timedelta(seconds=3), actor="ada", action="a") == [0]
    assert found(None, None, limit=1, actor="bob") == [1]
    assert found(None, None, target="x") == []


def test_a_change_of_an_entry_comes_back_as_it_was(keys):
    change = {
        "before": None,
        "after": {"models": ["a"], "blocked": True, "rpm_limit": 5, "metadata": '{"":1}'},
    }
    keys.append(entry(change=change))
    assert keys.read(None, None, 1)[0].change == change


def test_a_use_is_noted_on_its_key_alone(keys):
    keys.add_key(FULL_KEY)
    keys.add_key(record(2))
    hour = NOW + timedelta(hours=5)

    keys.note_use(FULL_KEY.token, hour)
    keys.note_use(token_of("sk-nobody"), hour)

    assert keys.get_key(FULL_KEY.token) == msgspec.structs.replace(FULL_KEY, last_used_at=hour)
    assert keys.get_key(record(2).token) == record(2)
    assert keys.get_key(token_of("sk-nobody")) is None
    assert keys.count_keys() == 2


def test_a_use_that_is_noted_during_a_change_is_kept(firestore_keys):
    firestore_keys.add_key(record())
    hour, noted = NOW + timedelta(hours=5), []

    def change(key):
        if not noted:
            noted.append(True)
            firestore_keys.note_use(key.token, hour)
        return msgspec.structs.replace(key, blocked=True)

    changed = firestore_keys.change_key(record().token, change)

    assert changed == msgspec.structs.replace(record(), blocked=True, last_used_at=hour)
    assert firestore_keys.get_key(record().token) == changed


def test_equal_entries_are_all_kept(keys):
    in_threads([lambda: keys.append(entry())] * 8)
    assert keys.read(None, None, 100) == [entry()] * 8


def test_keys_come_in_pages_by_alias(keys):
    for number in (3, 1, 5, 2, 4):
        keys.add_key(record(number, team_id="search" if number % 2 else None))
    rotated = record(2, "a second secret", created_at=NOW + timedelta(seconds=1))
    keys.add_key(rotated)

    def page(*given):
        return [key.key_alias for key in keys.page_of_keys(*given)]

    assert page(None, 0, 3) == ["alias-1", "alias-2", "alias-2"]
    assert page(None, 3, 9) == ["alias-3", "alias-4", "alias-5"]
    assert page("search", 1, 9) == ["alias-3", "alias-5"]
    assert page("ads", 0, 9) == page(None, 9, 9) == []
    assert (keys.count_keys(), keys.count_keys("search"), keys.count_keys("ads")) == (6, 3, 0)


def test_teams_come_in_pages_without_those_that_were_deleted(keys):
    for name in ("c", "a", "d", "b"):
        keys.change_team(name, lambda _, name=name: TeamRecord(name, NOW, NOW))
    keys.delete_team("b")

    assert [team.team_id for team in keys.page_of_teams(0, 2)] == ["a", "c"]
    assert [team.team_id for team in keys.page_of_teams(2, 2)] == ["d"]


def test_keys_and_teams_that_were_changed_lately_are_known(keys):
    for number in range(1, 4):
        keys.add_key(record(number))
    keys.change_team("search", lambda _: TeamRecord("search", NOW, NOW))
    keys.change_team("ads", lambda _: TeamRecord("ads", NOW, NOW + timedelta(hours=2)))
    everybody = {"key:id-1", "key:id-2", "key:id-3", "team:search", "team:ads"}
    assert keys.changed_owners(None) == keys.changed_owners(NOW) == everybody

    later = NOW + timedelta(hours=1)
    keys.change_key(record(2).token, lambda key: msgspec.structs.replace(key, updated_at=later))

    assert keys.changed_owners(later) == {"key:id-2", "team:ads"}
    assert keys.changed_owners(NOW + timedelta(hours=3)) == set()


def test_owners_of_budgets_are_found_however_many(keys):
    for number in range(70):
        keys.add_key(record(number))
    keys.add_key(record(1, "a second secret"))
    keys.change_team("search", lambda _: FULL_TEAM)

    owners = {*(f"key:id-{number}" for number in range(1, 60)), "key:gone", "team:search", "team:gone"}
    found = keys.find_owners(owners)

    assert FULL_TEAM in found
    ids = sorted(key.key_id for key in found if isinstance(key, KeyRecord))
    assert ids == sorted([*(f"id-{number}" for number in range(1, 60)), "id-1"])
    assert keys.find_owners([]) == []


CALLS = {
    "page_of_keys": lambda keys: keys.page_of_keys(None, 0, 1),
    "page_of_teams": lambda keys: keys.page_of_teams(0, 1),
    "changed_owners": lambda keys: keys.changed_owners(None),
    "find_owners": lambda keys: keys.find_owners(["key:id-1", "team:search"]),
    "get_key": lambda keys: keys.get_key("0" * 64),
    "list_keys": lambda keys: keys.list_keys(),
    "list_secrets": lambda keys: keys.list_secrets("1"),
    "add_key": lambda keys: keys.add_key(record()),
    "change_key": lambda keys: keys.change_key("0" * 64, lambda key: key),
    "delete_key": lambda keys: keys.delete_key("0" * 64),
    "rotate_key": lambda keys: keys.rotate_key("0" * 64, lambda key: (key, key)),
    "get_team": lambda keys: keys.get_team("search"),
    "list_teams": lambda keys: keys.list_teams(),
    "change_team": lambda keys: keys.change_team("search", lambda team: team),
    "delete_team": lambda keys: keys.delete_team("search"),
    "take": lambda keys: keys.take("key:x", MINUTE, 1, 1),
    "count_keys": lambda keys: keys.count_keys(),
    "count_teams": lambda keys: keys.count_teams(),
    "note_use": lambda keys: keys.note_use("0" * 64, NOW),
    "append": lambda keys: keys.append(entry()),
    "read": lambda keys: keys.read(None, None, 1),
}


@pytest.fixture(scope="module")
def failures(silent_host, refusing_host):
    """Return what each call raised, all calls at once, at hosts that are no Firestore."""
    found = {}

    def attempt(kind, name, keys):
        try:
            CALLS[name](keys)
            raised = None
        except Exception as error:  # noqa: BLE001 - whatever it is, a test looks at it
            raised = error
        found[kind, name] = raised

    threads = [
        threading.Thread(target=attempt, args=(kind, name, keys_at(host)), daemon=True)
        for kind, host in (("silent", silent_host), ("refusing", refusing_host))
        for name in CALLS
    ]
    deadline = time.monotonic() + HANGS_SECONDS
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    return found


@pytest.mark.parametrize("kind", ["silent", "refusing"])
@pytest.mark.parametrize("name", CALLS)
def test_a_firestore_that_does_not_answer_is_unavailable(failures, kind, name):
    assert (kind, name) in failures, f"it still waits after {HANGS_SECONDS} s"
    assert isinstance(failures[kind, name], StoreUnavailableError), repr(failures[kind, name])


@pytest.mark.parametrize("name", CALLS)
def test_the_keys_in_memory_fail_likewise(name):
    keys = MemoryKeys()
    keys.down = True

    with pytest.raises(StoreUnavailableError):
        CALLS[name](keys)


def test_all_methods_of_the_ports_are_tried():
    assert set(CALLS) == {
        name for port in (KeyStore, Audit) for name in vars(port) if not name.startswith("_")
    }
