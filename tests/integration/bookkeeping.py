"""The books of one schedule, held against a second account of the bucket.

Documents are read as they are, and what they should say is worked out by recounting.py and below: plain json,
Decimal and integers, nothing of the gateway's. What counts of a job's directory:

- a final object that lives: its live generation;
- one that was deleted: the generation that was in the books before. It keeps its cost, and cannot be read
  again. If something was just settling it, that may be any generation from there on; if nothing was in the
  books, it may be lost;
- incremental objects by the same rule, but only if no final object that could be read is in the books.
"""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime

from integration.recounting import expected
from integration.world import BUCKET, LOCATION

GS = f"gs://{BUCKET}/"


def _is_incremental(name):
    return "/incremental_predictions" in name


def check(world):
    """Raises AssertionError where the books and the bucket do not agree; returns the sum of all jobs."""
    bucket = world.stage.objects.live(f"{world.seed}/out")
    records = {each.id: each.to_dict() for each in world.client.collection("jobs").stream()}
    assert len(records) == len(world.jobs)
    cells, ledgers = Counter(), Counter()
    for job in world.jobs:
        reference = world.client.collection("jobs").document(f"{world.project}:{LOCATION}:{job.key.job_id}")
        outputs = [each.to_dict() for each in reference.collection("outputs").stream()]
        counted = b"".join(content + b"\n" for content in _counted(world, job, bucket, outputs))
        _check_job(job, records[reference.id] | {"outputs": outputs}, counted)
        _add(world, job, counted, cells, ledgers)
    _check_totals(world, cells)
    _check_rollups(world, cells)
    _check_ledgers(world, ledgers)
    _check_times(world)
    assert not list(world.client.collection("submissions").stream())
    parked = [each.to_dict()["uri"] for each in world.client.collection("parked").stream()]
    assert all(uri.startswith(f"{GS}{world.seed}/stray/") for uri in parked), parked
    assert len(parked) == len(world.stage.objects.live(f"{world.seed}/stray/"))
    return sum(amount for (what, *_), amount in cells.items() if what == "amount")


def _counted(world, job, bucket, outputs):
    """The content of what counts of a job's directory; holds the outputs' generations against the bucket."""
    books = {each["uri"].removeprefix(GS): each for each in outputs}
    assert len(books) == len(outputs)
    names = world.of(job)
    assert books.keys() <= set(names)
    has_final = any(not _is_incremental(name) and each["generation"] for name, each in books.items())
    contents = []
    for name in names:
        held = books.get(name)
        generation = held and held["generation"]
        if _is_incremental(name) and has_final:
            # What was settled before the final object came has been taken back.
            assert held is None or held["superseded"], f"{name} counts beside a final output"
            continue
        assert not (held and held["superseded"])
        may = {bucket[name]} if name in bucket else world.deleted[name]
        assert generation in may, f"{name}: generation {generation} is in the books, may be {may}"
        if generation:
            contents.append(world.history[name][generation])
    return contents


def _check_job(job, record, output):
    outputs, own = record["outputs"], expected(output, job.model, LOCATION)
    cost, usage = record["cost"], record["usage"]
    what = f"job {job.key.job_id}: {own.nano} nano-USD in the bucket, {cost['amountNano']} in the books"
    assert cost["amountNano"] == own.nano, what
    assert sum(item["amountNano"] for item in cost["lineItems"]) == own.nano
    rows = {name: usage["rows"][name] for name in ("succeeded", "failed", "malformed")}
    assert rows == {name: own.rows[name] for name in rows}
    assert (usage["tokens"]["input"], usage["tokens"]["output"]) == _tokens(output)
    assert record["closed"]
    assert record["reservedNano"] == 0
    assert record["settledOutputs"] == len(outputs)
    assert record["unreadableOutputs"] == sum(each["unreadable"] is not None for each in outputs)
    assert (record["team"], record["keyId"], record["apiKey"]) == (job.team, job.key_id, job.api_key)


def _add(world, job, output, cells, ledgers):
    """Adds a job to what the totals and ledgers should hold."""
    amount = expected(output, job.model, LOCATION).nano
    created = datetime.fromisoformat(world.upstream(job)["createTime"]).astimezone(UTC)
    labels = json.dumps(job.labels, sort_keys=True)
    cell = (created.date().isoformat(), job.model, job.api_key or "", job.team or "", labels)
    cells["amount", *cell, str(created.hour * 4 + created.minute // 15)] += amount
    for name, number in zip(("input", "output"), _tokens(output), strict=True):
        cells[name, *cell] += number
    owners = [f"key:{job.key_id}"] if job.key_id else []
    for owner in [*owners, *([f"team:{job.team}"] if job.team else [])]:
        for period in (f"{created:%Y-%m-%d}", f"{created:%Y-%m}", "all"):
            ledgers[owner, period] += amount


def _tokens(output):
    """Prompt tokens, and those of answers and thoughts."""
    given = answered = 0
    for line in output.splitlines():
        try:
            usage = json.loads(line)["response"]["usageMetadata"]
        except (ValueError, KeyError):
            continue
        given += usage.get("promptTokenCount", 0)
        answered += usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    return given, answered


def _check_totals(world, wanted):
    """Holds the cells of the totals, their shards added up, against the jobs' sums."""
    found = Counter()
    for each in world.client.collection("totals").stream():
        cell = each.to_dict()
        assert (cell["project"], cell["location"]) == (world.project, LOCATION)
        labels = json.dumps(cell["labels"], sort_keys=True)
        of = (cell["day"], cell["model"], cell["apiKey"], cell["team"], labels)
        for quarter, amount in cell["quarters"].items():
            found["amount", *of, quarter] += amount
        items = cell.get("items", {})
        assert sum(item["amountNano"] for item in items.values()) == sum(cell["quarters"].values())
        for item, total in items.items():
            found["output" if item.startswith("output") else "input", *of] += total["quantity"]
    _assert_equal(found, wanted)


def _check_rollups(world, cells):
    """Holds the sums by day and by month, which know no labels, against the cells."""
    wanted, found = Counter(), Counter()
    for (what, *of), amount in cells.items():
        if what == "amount":
            day, model, _, team, _, quarter = of
            wanted[day, model, team, quarter] += amount
            wanted[day[:7], model, team] += amount
    for each in world.client.collection("days").stream():
        for key, quarters in each.to_dict()["quarters"].items():
            model, _, team, *_ = json.loads(key)
            for quarter, amount in quarters.items():
                found[each.id.partition(":")[0], model, team, quarter] += amount
    for each in world.client.collection("months").stream():
        for key, amount in each.to_dict()["amounts"].items():
            model, _, team, *_ = json.loads(key)
            found[each.id.partition(":")[0], model, team] += amount
    _assert_equal(found, wanted)


def _check_ledgers(world, wanted):
    spent, reserved = defaultdict(int), defaultdict(int)
    for each in world.client.collection("ledgers").stream():
        entry = each.to_dict()
        for sums, amounts in ((spent, entry["spentNano"]), (reserved, entry["reservedNano"])):
            for period, amount in amounts.items():
                sums[entry["owner"], period] += amount
    _assert_equal(spent, wanted)
    _assert_equal(reserved, {})


def _check_times(world):
    """Holds the numbers of jobs by outcome against Vertex AI: each once for all and once for its owner."""
    found = {True: Counter(), False: Counter()}
    for each in world.client.collection("job_times").stream():
        for group, counts in each.to_dict()["groups"].items():
            for outcome, number in counts["outcomes"].items():
                found[each.id.startswith("all:")][json.loads(group)[0], outcome] += number
    ends = []
    for job in world.jobs:
        state = world.upstream(job)["state"].removeprefix("JOB_STATE_").removeprefix("PARTIALLY_")
        ends.append((job, (job.model, state.lower())))
    _assert_equal(found[True], Counter(end for _, end in ends))
    _assert_equal(found[False], Counter(end for job, end in ends if job.team or job.key_id))


def _assert_equal(found, wanted):
    sums = [{(key, number) for key, number in each.items() if number} for each in (found, wanted)]
    assert sums[0] == sums[1], f"in the books only: {sums[0] - sums[1]}; not there: {sums[1] - sums[0]}"
