"""Bodies of creates: the memory that the largest take, and the bytes that a change leaves alone."""

import json
import subprocess
import sys
import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.errors import ApiError
from batch_gateway.core.json_limits import count_values
from batch_gateway.gateway.http import requests
from batch_gateway.gateway.jobs.job_body import JobBody
from functional.hostile import inputs
from thorough import taking_turns

TIMES = 4
"""The largest body takes in all at most so many times its size."""
LET_IN = [name for name, given in inputs.BODIES.items() if 200 in given.statuses and name != "digits"]
LOOKS = {
    "count": count_values,
    "fields": JobBody,
    "whole": lambda raw: JobBody(raw).json,
    "changed": lambda raw: JobBody(raw).with_members({"labels": {"team": "search"}, "model": "m"}),
}
LOOKED_AT = taking_turns(LET_IN, LOOKS)


@pytest.fixture(scope="module")
def peaks():
    """Bytes that each look at each body takes at most, in a process without the threads of other tests."""
    sent = json.dumps(sys.path)
    run = [sys.executable, "-c", MEASURE, sent]
    return json.loads(subprocess.run(run, capture_output=True, check=True, timeout=600).stdout)  # noqa: S603 - ours


MEASURE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from functional.gateway.test_job_body import LOOKED_AT, LOOKS, peak_of
from functional.hostile import inputs
peaks = {f"{name} {look}": peak_of(LOOKS[look], inputs.BODIES[name].make()) for name, look in LOOKED_AT}
print(json.dumps(peaks))
"""


@pytest.mark.parametrize(("name", "look"), LOOKED_AT)
def test_a_body_takes_a_small_multiple_of_its_size(peaks, name, look):
    assert peaks[f"{name} {look}"] <= TIMES * requests.MAX_BODY_BYTES


def peak_of(look, raw):
    tracemalloc.start()
    try:
        look(raw)
    except ApiError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return len(raw) + peak


def test_a_body_has_so_many_fields():
    many = {f"f{number}": 1 for number in range(1_001)}
    with pytest.raises(ApiError, match="more than 1,000 fields"):
        JobBody(json.dumps(many).encode())
    del many["f0"]
    assert len(JobBody(json.dumps(many).encode()).json) == 1_000


VALUES = st.text(max_size=5) | st.lists(st.integers(), max_size=3)
FIELDS = st.dictionaries(st.sampled_from(["model", "labels", "größe", "a", ""]), VALUES)


@given(FIELDS, st.sampled_from(["", " ", "\n\t"]), st.booleans())
def test_a_change_sets_members_and_leaves_every_other_byte(fields, space, ascii_only):
    def written(values):
        return f",{space}".join(
            f"{json.dumps(name, ensure_ascii=ascii_only)}{space}:{space}{values[name]}" for name in fields
        )

    texts = {name: json.dumps(value, ensure_ascii=ascii_only) for name, value in fields.items()}
    changes = {"model": "größe", "labels": {"team": "s"}}
    new = {name: msgspec.json.encode(value).decode() for name, value in changes.items()}

    changed = JobBody(f"{space}{{{space}{written(texts)}{space}}}{space}".encode()).with_members(changes)

    added = "".join(f',"{name}":{value}' for name, value in new.items() if name not in fields)
    added = added if fields else added.removeprefix(",")
    assert changed.decode() == f"{space}{{{space}{written(texts | new)}{space}{added}}}{space}"
