"""The ObjectStore port: the one in memory and Cloud Storage keep the same promises."""

from datetime import UTC, datetime, timedelta

import pytest

from batch_gateway.adapters import storage
from batch_gateway.ports import ObjectChangedError

FOLDER = "run/prediction-model-2026-11-22T10:00:00.123456Z"
NAMES = [
    f"{FOLDER}/predictions.jsonl",
    "with space/and  two",
    "größe/東京/🚀.jsonl",
    "100%/a%20b/%2F",
    "plus+and&and=and?and#",
    "a//b",
    "quote'\"`",
    "(paren)[bracket]{brace}~*!,;@$",
]


@pytest.fixture
def prefix(request):
    """A folder of this test's own, since the emulated bucket is shared."""
    return f"{request.node.name.partition('[')[0]}/"


def content(objects, name):
    info = objects.stat(objects.bucket, name)
    return b"".join(objects.read(objects.bucket, name, info.generation))


@pytest.mark.parametrize("name", NAMES)
def test_an_object_of_any_name_is_found_listed_and_read(objects, prefix, name):
    name = prefix + name
    objects.write(name, b"line\nl\xc3\xafne\n")

    info = objects.stat(objects.bucket, name)

    assert (info.name, info.size) == (name, 11)
    assert info in list(objects.list(objects.bucket, name))
    assert content(objects, name) == b"line\nl\xc3\xafne\n"


def test_an_object_says_when_it_was_written_in_utc(objects, prefix):
    objects.write(f"{prefix}x", b"x")

    created = objects.stat(objects.bucket, f"{prefix}x").created

    assert created.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - created) < timedelta(minutes=1)


def test_a_generation_is_an_integer_that_grows(objects, prefix):
    generations = []
    for _ in range(3):
        objects.write(f"{prefix}x", b"x")
        generations.append(objects.stat(objects.bucket, f"{prefix}x").generation)

    assert all(type(generation) is int for generation in generations)
    assert generations == sorted(set(generations))


def test_what_is_not_there_is_none(objects, prefix):
    assert objects.stat(objects.bucket, f"{prefix}nothing") is None
    assert list(objects.list(objects.bucket, f"{prefix}nothing")) == []


def test_a_bucket_that_is_not_there_is_empty(objects):
    assert objects.stat("no-such-bucket", "x") is None
    assert list(objects.list("no-such-bucket", "")) == []
    with pytest.raises(ObjectChangedError):
        b"".join(objects.read("no-such-bucket", "x", 1))


def test_a_deleted_object_is_none_again(objects, prefix):
    objects.write(f"{prefix}x", b"x")
    objects.remove(f"{prefix}x")

    assert objects.stat(objects.bucket, f"{prefix}x") is None


def test_a_listing_has_all_names_that_begin_so_and_no_others(objects, prefix):
    for name in ("a/1", "a/2", "a/b/3", "ab", "b"):
        objects.write(prefix + name, name.encode())

    def listed(start):
        return sorted(info.name.removeprefix(prefix) for info in objects.list(objects.bucket, prefix + start))

    assert listed("a/") == ["a/1", "a/2", "a/b/3"]
    assert listed("a") == ["a/1", "a/2", "a/b/3", "ab"]
    assert listed("") == ["a/1", "a/2", "a/b/3", "ab", "b"]


def test_a_listing_agrees_with_a_look_at_each(objects, prefix):
    for name in ("1", "2"):
        objects.write(prefix + name, name.encode() * 5)

    listed = list(objects.list(objects.bucket, prefix))

    assert listed == [objects.stat(objects.bucket, info.name) for info in listed]


def test_an_empty_object_reads_as_nothing(objects, prefix):
    objects.write(f"{prefix}empty", b"")

    assert objects.stat(objects.bucket, f"{prefix}empty").size == 0
    assert content(objects, f"{prefix}empty") == b""


def test_bytes_come_as_they_are(objects, prefix):
    data = bytes(range(256)) * 5000 + b"\r\n\n"
    objects.write(f"{prefix}binary", data)

    assert content(objects, f"{prefix}binary") == data


def test_a_large_object_comes_in_pieces(objects, prefix, monkeypatch):
    monkeypatch.setattr(storage, "_CHUNK_BYTES", 256 * 1024)
    data = bytes(range(256)) * 4096
    objects.write(f"{prefix}large", data)
    info = objects.stat(objects.bucket, f"{prefix}large")

    pieces = list(objects.read(objects.bucket, f"{prefix}large", info.generation))

    assert len(pieces) > 3
    assert max(map(len, pieces)) <= 256 * 1024
    assert b"".join(pieces) == data


CHANGES = {
    "overwritten": lambda objects, name: objects.write(name, b"new"),
    "overwritten by as much": lambda objects, name: objects.write(name, b"b" * 10),
    "deleted": lambda objects, name: objects.remove(name),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_generation_that_is_gone_cannot_be_read(objects, prefix, change):
    name = prefix + change
    objects.write(name, b"a" * 10)
    info = objects.stat(objects.bucket, name)
    CHANGES[change](objects, name)

    with pytest.raises(ObjectChangedError):
        b"".join(objects.read(objects.bucket, name, info.generation))


@pytest.mark.parametrize("change", ["overwritten", "deleted"])
def test_a_generation_that_goes_while_it_is_read_does_not_come_mixed(
    storage_objects, prefix, monkeypatch, change
):
    monkeypatch.setattr(storage, "_CHUNK_BYTES", 256 * 1024)
    objects, name = storage_objects, prefix + change
    objects.write(name, b"a" * 1024 * 1024)
    info = objects.stat(objects.bucket, name)
    pieces = objects.read(objects.bucket, name, info.generation)
    read = next(pieces)
    if change == "overwritten":
        objects.write(name, b"b" * 1024 * 1024)
    else:
        objects.remove(name)

    with pytest.raises(ObjectChangedError):
        read += b"".join(pieces)

    assert b"b" not in read


@pytest.fixture
def storage_objects(objects):
    """Only the real one reads in several requests."""
    if not isinstance(objects, storage.CloudStorage):
        pytest.skip("in memory an object is read at once")
    return objects
