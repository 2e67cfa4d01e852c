"""Every query has its index, none asks for a field without one, and what expires is deleted."""

import ast
import subprocess

import msgspec
import pytest

from batch_gateway.core.accounting.settlement import DailyTotal
from infra.code_queries import DYNAMIC, NAME, Index, Query, needed_index, queries
from infra.terraform import PRODUCTION, ROOT

FUNCTIONS = ROOT / "functions"
ADAPTER = FUNCTIONS / "batch_gateway/adapters/firestore"

COMPUTED = {
    "keys.read": {"action", "actor", "target"},
    "jobs.recent_jobs": {"apiKey", "key.location", "key.project", "keyId", "seen.state", "team"},
    "jobs.top_jobs": {"keyId", "team"},
    "totals.list_totals": {"apiKey", "labels", "location", "model", "project", "team"},
}
"""Fields that a query may ask for where the code computes their names: none, each alone, or together."""
EXPIRING = {
    "core.accounting.settlement.Checkpoint": "checkpoints",
    "core.notify.events.Event": "events",
    # A key that has ended stays, so that its alias and what it did can be told.
    "core.access.keys.KeyRecord": None,
    "gateway.admin.answers.Key": None,
    "ports.store.Submission": "submissions",
}
"""Collections of the records that have a time at which they end; None where they stay all the same."""
EXPIRING_DICTS = {"job_times", "rates"}
"""Likewise, of documents that are written without a record."""


@pytest.fixture
def there(applied):
    return applied(PRODUCTION).resources


def declared_indexes(resources):
    return {
        Index(
            each["values"]["collection"],
            tuple((field["field_path"], field["order"]) for field in each["values"]["fields"]),
        )
        for each in resources
        if each["type"] == "google_firestore_index"
    }


def needed_indexes(found):
    """Indexes of queries, and of each kind of those whose fields are computed."""
    kinds = [
        query._replace(equal=query.equal - {DYNAMIC} | {field})
        for query in found
        if DYNAMIC in query.equal
        for field in COMPUTED.get(query.place, {DYNAMIC})
    ]
    kinds += [query._replace(equal=query.equal - {DYNAMIC}) for query in found if query.place in COMPUTED]
    return {needed_index(query) for query in [*kinds, *(q for q in found if DYNAMIC not in q.equal)]} - {None}


def missing_indexes(found, declared):
    return sorted(needed_indexes(found) - declared)


def fields(resources, kind):
    return {
        (each["values"]["collection"], each["values"]["field"])
        for each in resources
        if each["address"].rpartition("google_firestore_field.")[2].startswith(kind)
    }


def test_the_queries_of_the_code_are_found():
    found = {query.place: query for query in queries(ADAPTER)}
    assert found["jobs.jobs_without_directory"].equal == {
        "seen.outputPrefix",
        "seen.outputDirectory",
        "seen.state",
        "closed",
    }
    assert found["keys.read"].orders == (("time", "DESCENDING"),)
    assert found["sweep.open_jobs"] == Query(
        "sweep.open_jobs", "jobs", frozenset({"closed"}), frozenset(), ((NAME, "ASCENDING"),)
    )
    # None has been overlooked: as many places ask for fields as there are filters and orders in other words.
    words = {
        f"{path.stem}.{function.name}"
        for path in ADAPTER.glob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef) and {"FieldFilter(", ".order_by("} & set(tokens(function))
    }
    assert {place.split(".")[0] for place in found} == {word.split(".")[0] for word in words}


def tokens(function):
    text = ast.unparse(function)
    return [token for token in ("FieldFilter(", ".order_by(") if token in text]


def test_every_query_has_its_index(there):
    assert missing_indexes(queries(ADAPTER), declared_indexes(there)) == []


def test_no_index_is_kept_that_no_query_needs(there):
    assert declared_indexes(there) <= needed_indexes(queries(ADAPTER))


def test_a_restore_finds_every_index_by_its_name(there):
    """README's loop, with a gcloud that lists the indexes and a terraform that says what it would import."""
    readme = (ROOT / "infra/README.md").read_text()
    start = readme.index("gcloud firestore indexes composite list")
    loop = readme[start : readme.index("done\n", start) + len("done\n")]
    indexes = [each for each in there if each["type"] == "google_firestore_index"]
    listed = "\n".join(
        f"databases/NEW/collectionGroups/{each['values']['collection']}/indexes/{at}\t"
        + "\t".join(field["field_path"] for field in each["values"]["fields"][:2])
        for at, each in enumerate(indexes)
    )
    script = f"""gcloud() {{ printf '%s\n' "$LISTED"; }}; terraform() {{ echo "$2"; }}\n{loop}"""
    command = ["/bin/bash", "-euc", script]
    done = subprocess.run(command, env={"LISTED": listed}, capture_output=True, text=True, check=True)  # noqa: S603 - README's
    addresses = [each["address"] for each in indexes]
    assert done.stdout.splitlines() == [each[each.index("google_firestore_index") :] for each in addresses]


MORE = """
class FirestoreMore:
    def finished(self, team):
        jobs = self._client.collection("jobs").where(filter=FieldFilter("model", "==", team))
        return jobs.order_by("createTime", direction=Query.DESCENDING).limit(10).stream(**CALL)

    def by_name_backwards(self):
        jobs = self._client.collection("jobs").order_by("createTime")
        return jobs.order_by("__name__", direction=Query.DESCENDING)

    def expensive(self):
        jobs = self._client.collection("jobs").where(filter=FieldFilter("amountNano", ">", 1))
        return jobs.where(filter=FieldFilter("createTime", ">", 1)).stream()

    def equal_only(self, team):
        jobs = self._client.collection("jobs").where(filter=FieldFilter("team", "==", team))
        return jobs.where(filter=FieldFilter("closed", "==", False)).order_by("__name__").stream()

    def one_range(self):
        jobs = self._client.collection("jobs").where(filter=FieldFilter("createTime", ">=", 1))
        return jobs.order_by("createTime")
"""


def test_a_query_without_its_index_is_seen(tmp_path, there):
    (tmp_path / "more.py").write_text(MORE)
    assert missing_indexes(queries(tmp_path), declared_indexes(there)) == [
        Index("jobs", (("amountNano", "ASCENDING"), ("createTime", "ASCENDING"))),
        Index("jobs", (("createTime", "ASCENDING"), (NAME, "DESCENDING"))),
        Index("jobs", (("model", "ASCENDING"), ("createTime", "DESCENDING"))),
    ]


def test_no_query_asks_for_a_field_without_an_index(there):
    """Unless it takes a composite index, of which such a field may be part ("Index types in Firestore")."""
    unindexed = fields(there, "unindexed")
    assert ("jobs", "usage") in unindexed
    for query in queries(ADAPTER):
        assert DYNAMIC not in query.fields or query.place in COMPUTED, (
            f"say what {query.place} asks for in COMPUTED"
        )
        if needed_index(query._replace(equal=frozenset())):
            continue
        for field in (query.fields - {DYNAMIC}) | COMPUTED.get(query.place, set()):
            assert (query.collection, field.split(".")[0]) not in unindexed | fields(there, "expires"), (
                query.place
            )


def test_large_maps_are_not_indexed(there):
    expected = {
        ("jobs", "usage"),
        ("jobs", "cost"),
        ("outputs", "usage"),
        ("totals", "items"),
        ("totals", "quarters"),
    }
    unindexed = fields(there, "unindexed")
    assert expected <= unindexed
    members = {member.encode_name for member in msgspec.structs.fields(DailyTotal)}
    assert {field for collection, field in unindexed if collection == "totals"} <= members
    for each in there:
        if each["type"] == "google_firestore_field":
            assert each["values"]["index_config"] == [{"indexes": []}], each["address"]


def test_what_has_an_end_is_deleted_by_firestore(there):
    records = {
        f"{'.'.join(path.relative_to(FUNCTIONS / 'batch_gateway').with_suffix('').parts)}.{record.name}"
        for path in (FUNCTIONS / "batch_gateway").rglob("*.py")
        for record in ast.walk(ast.parse(path.read_text()))
        if isinstance(record, ast.ClassDef)
        for field in record.body
        if isinstance(field, ast.AnnAssign) and getattr(field.target, "id", "") == "expires"
    }
    assert records == EXPIRING.keys(), "say in EXPIRING which collection a new record with an end is in"
    collections = {name for name in EXPIRING.values() if name} | EXPIRING_DICTS
    assert fields(there, "expires") == {(name, "expires") for name in collections}
    ttls = [
        each for each in there if each["type"] == "google_firestore_field" and each["values"]["ttl_config"]
    ]
    assert len(ttls) == len(collections)


def test_the_books_are_where_and_as_safe_as_asked_for(there):
    [database] = [each["values"] for each in there if each["type"] == "google_firestore_database"]
    assert database["location_id"] == "eur3"
    assert database["point_in_time_recovery_enablement"] == "POINT_IN_TIME_RECOVERY_ENABLED"
    assert database["delete_protection_state"] == "DELETE_PROTECTION_ENABLED"
    [backup] = [each["values"] for each in there if each["type"] == "google_firestore_backup_schedule"]
    assert backup["retention"] == f"{30 * 86400}s"
