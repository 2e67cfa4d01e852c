"""Spend over time: `/v1/costs` and `/v1/costs:export`, from the use case down to a store in memory."""

import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

import builders
from batch_gateway.core.access.callers import Caller
from batch_gateway.core.accounting.settlement import Output, reprice
from batch_gateway.core.errors import ApiError
from batch_gateway.core.jobs.labels import MARKER_LABEL
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.prices import PriceTable
from batch_gateway.core.spend import entries as core_spend
from batch_gateway.core.usage import Rows, Tokens, Usage, quantities_of
from batch_gateway.gateway.costs import report as spend_module
from batch_gateway.gateway.costs import values as values_module
from batch_gateway.gateway.costs.report import Spend
from batch_gateway.gateway.costs.values import FilterValues
from batch_gateway.ports import StoreUnavailableError
from builders import job_record, usage
from fakes import MemoryStore
from thorough import examples

TABLE = prices.load()
ADMIN = Caller(api_key="master")
NOW = datetime(2026, 11, 22, 12, 7, 8, tzinfo=UTC)
FLASH, PRO, LITE, UNKNOWN = "gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.1-flash-lite", "mystery-1"
NANO = 10**9
TOKEN_NANO = 150
"""Of an input token of FLASH."""


def dearer_table():
    """The shipped table at double the price."""
    table = json.loads(prices.Path(prices.__file__).with_name("prices.json").read_bytes())
    table["version"] = "2026-12-24"
    for model in table["models"].values():
        for period in model["prices"]:
            period["batch"] = doubled(period["batch"])
    return PriceTable.from_json(json.dumps(table).encode())


def doubled(rates):
    return {
        key: doubled(rate) if isinstance(rate, dict) else str(Decimal(rate) * 2)
        for key, rate in rates.items()
    }


DEARER = dearer_table()


def job(number=1, created=NOW, labels=None, display_name=None, **changes):
    seen = {"display_name": display_name or f"job {number}", "labels": labels or {}}
    return job_record(created, number, seen=seen, **{"project": "acme-batch", **changes})


def settle(store, record, content, name="predictions.jsonl", generation=1):
    output = Output(f"gs://out/{record.key.job_id}/{name}", generation, 1, content, NOW)
    builders.settle(store, record.key, output, TABLE)


def stored(*jobs_and_usages):
    store = MemoryStore()
    for record, content in jobs_and_usages:
        store.add_job(record)
        if content:
            settle(store, record, content)
    return store


def request(query):
    return Request(EnvironBuilder(path="/v1/costs", query_string=query).get_environ())


def costs(store, query, caller=ADMIN):
    answer = Spend(store, prices.load, lambda: NOW).report(request(query), caller)
    assert answer.status_code == 200
    return json.loads(answer.data)


def results(store, query, caller=ADMIN):
    """All results of all pages."""
    found, page = [], ""
    while page is not None:
        answer = costs(store, f"{query}&page={page}" if page else query, caller)
        found += [result for bucket in answer["data"] for result in bucket["results"]]
        page = answer["next_page"]
        assert answer["has_more"] == (page is not None)
    return found


def nano(result):
    return int(Decimal(result["amount"]["value"]) * NANO)


def export(store, query, caller=ADMIN):
    return Spend(store, prices.load, lambda: NOW).export(request(query), caller)


def rows(store, query, caller=ADMIN):
    text = export(store, query, caller).get_data(as_text=True)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def refusal(store, query, call=costs):
    with pytest.raises(ApiError) as refused:
        call(store, query)
    assert (refused.value.status, refused.value.reason) == ("INVALID_ARGUMENT", "FIELD_INVALID")
    return refused.value.message


DAY = "start_time=2026-11-22T00:00:00Z&end_time=2026-11-23T00:00:00Z"
ONE = [(job(), usage(1000))]


# --- The sums

START = datetime(2026, 9, 29, tzinfo=UTC)
names = st.sampled_from
quantity = st.tuples(
    names([FLASH, PRO, LITE, UNKNOWN]),
    names(["0-200k", "200k-1M"]),
    names(["input_text", "cached_input_text", "output_text", "output_thoughts", "input_grounding"]),
    st.integers(1, 10**6),
)
content = st.lists(quantity, max_size=3).map(
    lambda found: Usage(
        Rows(succeeded=1), Tokens(), quantities_of([(key, (units, 1)) for *key, units in found])
    )
)
outputs = st.lists(st.tuples(names("ab"), st.integers(1, 4), content), max_size=4)
described = st.fixed_dictionaries(
    {
        "created": st.timedeltas(timedelta(0), timedelta(days=70)).map(lambda after: START + after),
        "api_key": names(["nightly", "adhoc", None]),
        "team": names(["search", "ads", None]),
        "project": names(["acme-batch", "acme-lab"]),
        "location": names(["us-central1", "global"]),
        "labels": names([{}, {"env": "prod"}, {"env": ""}, {"env": "dev", "cost": "7"}, {MARKER_LABEL: "x"}]),
    }
)
histories = st.lists(st.tuples(described, outputs, st.booleans()), max_size=8)
fields = st.lists(
    names(["model", "team", "api_key", "project", "location", "label:env", "label:none", "job"]), unique=True
)
zones = names(["Z", "+05:30", "-08:00", "+12:45", "-03:30", "+14:00", "-12:00"])


def books(histories):
    """Jobs settled, overwritten, settled out of order and priced again."""
    store = MemoryStore()
    for number, (description, settlements, again) in enumerate(histories):
        record = job(number, **description)
        store.add_job(record)
        for name, generation, each in settlements:
            settle(store, record, each, name, generation)
        if again:
            store.reprice(record.key, lambda was: reprice(was, DEARER, by="master", now=NOW))
    return store


@examples(25)
@given(histories, fields, zones, names(["1h", "1d", "1mo"]), st.integers(1, 40))
def test_any_grouping_in_any_zone_adds_up_to_the_jobs(histories, fields, zone, width, limit):
    store = books(histories)
    total = sum(each.cost.amount_nano for each in store._jobs.values())
    if width == "1h":
        limit = 744
    query = (
        f"start_time={int(START.timestamp())}&end_time=2026-12-31T00:00:00Z&bucket_width={width}"
        f"&time_zone={zone.replace('+', '%2B')}&limit={limit}&group_by={','.join(fields)}"
    )
    assert sum(map(nano, results(store, query))) == total


@examples(20)
@given(
    histories,
    names(["model", "team", "api_key", "project", "location", "label:env"]),
    zones,
    names(["1d", "1mo"]),
    names(["2026-09-28T00:00:00Z", "2026-10-01T00:00:00Z", "2026-10-17T13:15:00Z"]),
)
def test_each_group_and_day_is_what_its_jobs_cost(histories, field, zone, width, since):
    """Recounted from the jobs' own line items, by nothing that the answer is made with."""
    store = books(histories)
    offset = timedelta(0)
    if zone != "Z":
        hours, minutes = zone[1:].split(":")
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if zone[0] == "-" else 1)
    expected = Counter()
    for each in store._jobs.values():
        value = {
            "team": each.team,
            "api_key": each.api_key,
            "project": each.key.project,
            "location": each.key.location,
            "label:env": each.seen.labels.get("env"),
        }
        if each.create_time < datetime.fromisoformat(since):
            continue
        day = (each.create_time + offset).date()
        if width == "1mo":
            day = day.replace(day=1)
        for line in each.cost.line_items:
            expected[day, value.get(field, line.model)] += line.amount_nano or 0
    query = (
        f"start_time={since}&end_time=2026-12-31T00:00:00Z&limit=120&bucket_width={width}"
        f"&time_zone={zone.replace('+', '%2B')}&group_by={field}"
    )
    found = Counter()
    for bucket in costs(store, query)["data"]:
        day = datetime.fromtimestamp(bucket["start_time"], UTC) + offset
        for result in bucket["results"]:
            value = (result["labels"] or {}).get("env") if field == "label:env" else result[field]
            date = day.date().replace(day=1) if width == "1mo" else day.date()
            found[date, value] += nano(result)
    assert +found == +expected


@examples(15)
@given(
    histories, names(["", "&group_by=job", "&group_by=team", "&group_by=job,model", "&group_by=label:env"])
)
def test_files_add_up_to_the_jobs(histories, grouping):
    store = books(histories)
    total = sum(each.cost.amount_nano for each in store._jobs.values())
    span = "start_time=2026-09-29T00:00:00Z&end_time=2026-12-31T00:00:00Z"
    assert sum(int(Decimal(row["amount"]) * NANO) for row in rows(store, span + grouping)) == total
    if grouping in {"", "&group_by=job"}:
        found = rows(store, f"{span}&format=focus{grouping}")
        assert sum(int(Decimal(row["EffectiveCost"] or 0) * NANO) for row in found) == total


@examples(15)
@given(
    histories,
    st.datetimes(START.replace(tzinfo=None), datetime(2026, 12, 10)),  # noqa: DTZ001 - Hypothesis wants it naive
    names(["", "&group_by=job"]),
)
def test_ranges_that_follow_each_other_add_up(histories, cut, grouping):
    store = books(histories)
    cut -= timedelta(minutes=cut.minute % 15, seconds=cut.second, microseconds=cut.microsecond)
    at = f"{cut.isoformat()}Z"
    early = results(store, f"start_time=2026-09-28T00:00:00Z&end_time={at}&limit=99{grouping}")
    late = results(store, f"start_time={at}&end_time=2026-12-31T00:00:00Z&limit=99{grouping}")
    border = cut.replace(tzinfo=UTC)
    jobs = store._jobs.values()
    assert sum(map(nano, early)) == sum(j.cost.amount_nano for j in jobs if j.create_time < border)
    assert sum(map(nano, late)) == sum(j.cost.amount_nano for j in jobs if j.create_time >= border)


# --- The shape


def test_the_shape_is_that_of_openai():
    store = stored((job(labels={"env": "prod"}), usage(1000)))
    assert costs(store, f"{DAY}&group_by=team,label:env&group_by=model") == {
        "object": "page",
        "data": [
            {
                "object": "bucket",
                "start_time": 1795305600,
                "end_time": 1795392000,
                "results": [
                    {
                        "object": "organization.costs.result",
                        "amount": {"value": "0.00015", "currency": "usd"},
                        "unpriced": False,
                        "model": FLASH,
                        "team": "search",
                        "api_key": None,
                        "project": None,
                        "location": None,
                        "job": None,
                        "labels": {"env": "prod"},
                    }
                ],
            }
        ],
        "has_more": False,
        "next_page": None,
    }


def test_empty_buckets_are_listed_up_to_now():
    answer = costs(MemoryStore(), "start_time=2026-11-20T00:00:00Z")
    assert [bucket["results"] for bucket in answer["data"]] == [[], [], []]
    # Until the end of the quarter of an hour that NOW is in.
    assert answer["data"][-1]["end_time"] == datetime(2026, 11, 22, 12, 15, tzinfo=UTC).timestamp()


def test_the_largest_amount_comes_first():
    store = stored(*((job(n, team=f"team-{n}"), usage(tokens)) for n, tokens in enumerate([10, 3000, 200])))
    found = results(store, f"{DAY}&group_by=team")
    assert [result["team"] for result in found] == ["team-1", "team-2", "team-0"]


def test_what_has_no_value_is_null():
    store = stored((job(api_key=None, team=None), usage(1)))
    (result,) = results(store, f"{DAY}&group_by=team,api_key,label:env")
    assert (result["team"], result["api_key"], result["labels"]) == (None, None, {"env": None})


def test_what_is_not_grouped_by_is_null():
    (result,) = results(stored(*ONE), DAY)
    fields = ("model", "team", "api_key", "project", "location", "job", "labels")
    assert [result[field] for field in fields] == [None] * 7


def test_a_label_with_an_empty_value_is_not_null():
    store = stored((job(labels={"env": ""}), usage(1)))
    (result,) = results(store, f"{DAY}&group_by=label:env")
    assert result["labels"] == {"env": ""}


@pytest.mark.parametrize(("width", "default", "most"), [("1h", 24, 744), ("1d", 7, 366), ("1mo", 12, 120)])
def test_a_page_has_so_many_buckets(width, default, most):
    query = f"start_time=2000-01-01T00:00:00Z&bucket_width={width}"
    assert len(costs(MemoryStore(), query)["data"]) == default
    assert len(costs(MemoryStore(), f"{query}&limit={most}")["data"]) == most
    assert f"from 1 to {most}" in refusal(MemoryStore(), f"{query}&limit={most + 1}")


def test_pages_follow_each_other_without_gap_or_overlap():
    store = stored(*ONE)
    spans, page = [], ""
    while page is not None:
        answer = costs(
            store,
            "start_time=2026-08-15T10:07:00Z&end_time=2026-11-25T01:01:00Z&bucket_width=1mo&limit=2"
            f"&time_zone=-03:30{page and f'&page={page}'}",
        )
        spans += [(bucket["start_time"], bucket["end_time"]) for bucket in answer["data"]]
        page = answer["next_page"]
    edges = ["08-15T10:00", "09-01T03:30", "10-01T03:30", "11-01T03:30", "11-25T01:15"]
    edges = [datetime.fromisoformat(f"2026-{edge}+00:00").timestamp() for edge in edges]
    assert spans == list(pairwise(edges))


def test_a_page_with_many_results_ends_early(monkeypatch):
    monkeypatch.setattr(spend_module, "_RESULTS", 2)
    days = [NOW - timedelta(days=n) for n in range(5)]
    store = stored(*((job(n, created=day), usage(1)) for n, day in enumerate(days)))
    first = costs(store, "start_time=2026-11-18T00:00:00Z&group_by=job")
    assert len(first["data"]) == 2
    assert first["has_more"]
    assert len(results(store, "start_time=2026-11-18T00:00:00Z&group_by=job")) == 5


def test_too_many_groups_are_refused_not_held(monkeypatch):
    monkeypatch.setattr(core_spend, "MOST_GROUPS", 3)
    three = stored(*((job(n), usage(1)) for n in range(3)))
    assert len(results(three, f"{DAY}&group_by=job")) == 3
    four = stored(*((job(n), usage(1)) for n in range(4)))
    assert "Add filters or group by fewer fields" in refusal(four, f"{DAY}&group_by=job")
    assert len(rows(four, f"{DAY}&group_by=job")) == 4
    teams = stored(*((job(n, team=f"team-{n}"), usage(1)) for n in range(4)))
    assert "Add filters or group by fewer fields" in refusal(teams, f"{DAY}&group_by=team", export)


def test_groups_that_were_answered_no_longer_count(monkeypatch):
    monkeypatch.setattr(core_spend, "MOST_GROUPS", 1)
    days = [NOW - timedelta(days=n) for n in range(5)]
    store = stored(*((job(n, created=day), usage(1)) for n, day in enumerate(days)))
    assert len(results(store, "start_time=2026-11-18T00:00:00Z&group_by=job")) == 5


def test_a_job_is_named_as_its_cost_names_it():
    (result,) = results(stored(*ONE), f"{DAY}&group_by=job")
    assert result["job"] == "projects/1234/locations/us-central1/batchPredictionJobs/1"


# --- Time


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("1795305600", "1795392000"),
        ("2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("2026-11-22T05:30:00%2B05:30", "2026-11-22T16:00:00-08:00"),
        ("2026-11-22T05:30:00+05:30", "2026-11-23"),
    ],
)
def test_times_are_seconds_or_rfc_3339(start, end):
    (bucket,) = costs(MemoryStore(), f"start_time={start}&end_time={end}")["data"]
    assert (bucket["start_time"], bucket["end_time"]) == (1795305600, 1795392000)


@pytest.mark.parametrize(
    "time",
    ["", "yesterday", "-1", "1e9", "123456789012", "1969-12-31T23:59:59Z", "9999-06-01T00:00:00Z", "١٢٣"],
)
def test_what_is_no_time_is_refused(time):
    assert "start_time" in refusal(MemoryStore(), f"start_time={time}")
    assert "end_time" in refusal(MemoryStore(), f"start_time=0&end_time={time}")


def test_a_start_is_needed_and_an_end_lies_behind_it():
    assert "start_time: must be given" in refusal(MemoryStore(), "")
    assert "end_time: must be later" in refusal(MemoryStore(), "start_time=1000&end_time=1000")
    assert "in the future" in refusal(MemoryStore(), "start_time=2027-01-01T00:00:00Z")


def test_the_first_and_the_last_bucket_are_cut_at_quarters_of_an_hour():
    times = [NOW.replace(hour=10, minute=minute) for minute in (14, 15, 29, 30)]
    store = stored(*((job(n, created=time), usage(10**n)) for n, time in enumerate(times)))
    query = "start_time=2026-11-22T10:16:00Z&end_time=2026-11-22T10:29:59Z"
    (bucket,) = costs(store, query)["data"]
    assert (bucket["start_time"] % 86400, bucket["end_time"] % 86400) == (10 * 3600 + 900, 10 * 3600 + 1800)
    assert nano(bucket["results"][0]) == 110 * TOKEN_NANO
    assert sum(map(nano, results(store, f"{query}&group_by=job"))) == 110 * TOKEN_NANO


@pytest.mark.parametrize("zone", ["+05:30", "%2B05:30"])
def test_a_day_begins_where_the_zone_says(zone):
    late = NOW.replace(hour=18, minute=29), NOW.replace(hour=18, minute=30)
    store = stored(*((job(n, created=time), usage(10**n)) for n, time in enumerate(late)))
    answer = costs(store, f"start_time=2026-11-21T18:30:00Z&end_time=2026-11-23T18:30:00Z&time_zone={zone}")
    assert [nano(bucket["results"][0]) for bucket in answer["data"]] == [TOKEN_NANO, 10 * TOKEN_NANO]


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "+5:30", "+05:20", "+14:15", "-12:15", "0530", ""])
def test_what_is_no_zone_is_refused(zone):
    assert "time_zone: must be an offset" in refusal(MemoryStore(), f"start_time=0&time_zone={zone}")


# --- What is refused, what is filtered


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("bucket_width=1w", "bucket_width: must be one of 1h, 1d, 1mo"),
        ("group_by=colour", "group_by: 'colour' is not one of model, team"),
        ("group_by=label:", "group_by: 'label:' is not one of"),
        ("teams=search", "teams: unknown parameter"),
        ("format=csv", "format: unknown parameter"),
        ("start_time=5", "start_time: must be given only once"),
        ("page=%2F%2F", "page: pass next_page"),
        ("page=MTIz", "page: pass next_page"),
        ("page=LTE", "page: pass next_page"),
        ("page=OTk5OTk5OTk5OTk5OTk5OTk5OTk", "page: pass next_page"),
        ("limit=0", "limit: must be a number"),
    ],
)
def test_what_is_wrong_is_refused_and_put_right(query, said):
    assert said in refusal(MemoryStore(), f"start_time=0&{query}")


def test_a_key_in_the_query_is_no_parameter_of_ours():
    assert costs(MemoryStore(), f"{DAY}&key=sk-secret")["data"]


MIXED = [
    (job(1, labels={"env": "prod"}), usage(1)),
    (job(2, team="ads", api_key="ads, weekly", labels={"env": ""}), usage(10)),
    (job(3, team=None, project="acme-lab"), usage(100)),
    (job(4, location="global"), usage(1000)),
    (job(5), usage(10_000, LITE, "output_text")),
]
PARTS = [1 * TOKEN_NANO, 10 * TOKEN_NANO, 100 * TOKEN_NANO, 1000 * TOKEN_NANO]


@pytest.mark.parametrize(
    ("filters", "jobs"),
    [
        ("team=ads", [2]),
        ("team=ads&team=", [2, 3]),
        ("api_key=ads,%20weekly", [2]),
        ("label:env=prod", [1]),
        ("label:env=", [2, 3, 4]),
        ("project=acme-lab", [3]),
        ("location=global&team=search", [4]),
        ("job=4", [4]),
        ("job=projects/acme-batch/locations/global/batchPredictionJobs/4&job=1", [1, 4]),
        ("job=projects/1234/locations/us-central1/batchPredictionJobs/1", [1]),
        ("team=search&project=acme-lab", []),
    ],
)
def test_filters_narrow(filters, jobs):
    store = stored(*MIXED)
    expected = sum(PARTS[number - 1] for number in jobs)
    for grouping in ("", "&group_by=job", "&group_by=model,team,label:env"):
        found = results(store, f"{DAY}&model={FLASH}&{filters}{grouping}")
        assert sum(map(nano, found)) == expected


def test_the_store_is_asked_for_no_more_than_it_must():
    class Asked(MemoryStore):
        def list_totals(self, first, last, equal):
            self.asked = (first, last, equal)
            return super().list_totals(first, last, equal)

    store = Asked()
    costs(store, "start_time=2026-01-01T00:00:00Z&limit=3&team=a&team=b&model=m&label:env=x&location=")
    assert store.asked == ("2026-01-01", "2026-01-03", {"model": "m", "label:env": "x"})


class Reading(MemoryStore):
    """Notes what is read of the totals."""

    def __init__(self):
        super().__init__()
        self.read = []

    def list_totals(self, first, last, equal):
        self.read.append("cells")
        return super().list_totals(first, last, equal)

    def daily_rollups(self, first, last):
        self.read.append((first, last))
        return iter(())

    def monthly_rollups(self, month):
        self.read.append(month)
        return iter(())


YEAR = "start_time=2026-01-01T00:00:00Z&end_time=2027-01-01T00:00:00Z&bucket_width=1mo"
MONTHS = [f"2026-{month:02}" for month in range(1, 13)]


@pytest.mark.parametrize("grouping", ["", "&group_by=model", "&group_by=team,api_key&model=m"])
def test_a_year_by_month_reads_months(grouping):
    store = Reading()
    costs(store, f"{YEAR}{grouping}")
    assert store.read == MONTHS


def test_a_month_of_another_zone_takes_the_hours_at_its_ends_from_days():
    store = Reading()
    span = "start_time=2025-12-31T23:00:00Z&end_time=2026-02-28T23:00:00Z&bucket_width=1mo"
    costs(store, f"{span}&time_zone=%2B01:00")
    eves = ["2025-12-31", "2026-01-31", "2026-02-28"]
    december, january, february = ((eve, eve) for eve in eves)
    assert store.read == ["2026-01", december, january, "2026-02", january, february]


def test_what_is_no_whole_month_is_read_by_day():
    store = Reading()
    costs(store, "start_time=2026-01-10T06:00:00Z&end_time=2026-03-03T00:00:00Z&bucket_width=1mo")
    assert store.read == [("2026-01-10", "2026-01-31"), "2026-02", ("2026-03-01", "2026-03-02")]


@pytest.mark.parametrize("query", ["&group_by=label:env", "&label:env=prod", "&group_by=label:env,model"])
def test_cells_are_read_where_labels_are_asked_for(query):
    store = Reading()
    costs(store, f"{YEAR}{query}")
    assert store.read == ["cells"]


def test_a_page_ends_early_after_many_entries(monkeypatch):
    monkeypatch.setattr(spend_module, "_ENTRIES", 3)
    runs = [(job(n, START + timedelta(days=n // 2), labels={"run": str(n)}), usage(1)) for n in range(10)]
    store = stored(*runs)
    query = f"start_time={int(START.timestamp())}&end_time=2026-10-10T00:00:00Z&limit=31&group_by=label:run"
    page, found = costs(store, query), []
    assert page["has_more"]
    while page:
        found += [result for bucket in page["data"] for result in bucket["results"]]
        page = page["has_more"] and costs(store, f"{query}&page={page['next_page']}")
    assert sorted(result["labels"]["run"] for result in found) == [str(n) for n in range(10)]


def test_a_bucket_of_too_many_entries_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(spend_module, "_MOST_ENTRIES", 5)
    store = stored(*((job(n, labels={"run": str(n)}), usage(1)) for n in range(6)))
    with pytest.raises(ApiError, match="/v1/costs:export"):
        costs(store, f"{DAY}&group_by=label:run")
    assert results(store, f"{DAY}&group_by=model")


# --- Who sees what

TEAM = Caller(api_key="nightly", team="search", key_id="k1", grants=())
ALONE = Caller(api_key="nightly", key_id="k2", grants=())


@pytest.mark.parametrize("grouping", ["", "&group_by=job", "&group_by=team,api_key"])
@pytest.mark.parametrize("asked", ["", "&team=ads", "&team=ads&team=search", "&label:env=prod"])
def test_a_team_sees_its_own(grouping, asked):
    store = stored(
        (job(1, team="search", labels={"env": "prod"}), usage(1)),
        (job(2, team="ads", labels={"env": "prod"}), usage(10)),
        (job(3, team=None), usage(100)),
    )
    expected = 0 if asked == "&team=ads" else TOKEN_NANO
    assert sum(map(nano, results(store, f"{DAY}{grouping}{asked}", TEAM))) == expected
    found = rows(store, f"{DAY}{grouping}{asked}", TEAM)
    assert sum(Decimal(row["amount"]) * NANO for row in found) == expected
    everything = results(store, f"{DAY}{grouping}")
    assert sum(map(nano, everything)) == 111 * TOKEN_NANO


@pytest.mark.parametrize("grouping", ["", "&group_by=job"])
def test_a_key_without_a_team_sees_its_own_jobs_not_those_of_its_aliass_former_owner(grouping):
    store = stored(
        (job(1, team=None, labels={"api_key": "k2"}), usage(1)),
        (job(2, team=None, labels={"api_key": "k0"}), usage(10)),
        (job(3, team="search"), usage(100)),
    )
    assert sum(map(nano, results(store, f"{DAY}{grouping}", ALONE))) == TOKEN_NANO
    (row,) = rows(store, f"{DAY}&format=focus{grouping}", ALONE)
    assert row["EffectiveCost"] == "0.00000015"


# --- Never a wrong number in silence


@pytest.mark.parametrize("grouping", ["model", "model,job"])
def test_usage_without_a_price_is_said(grouping):
    store = stored((job(1), usage(1000)), (job(2), usage(5, UNKNOWN)))
    found = results(store, f"{DAY}&group_by={grouping}")
    assert [(each["model"], each["amount"]["value"], each["unpriced"]) for each in found] == [
        (FLASH, "0.00015", False),
        (UNKNOWN, "0", True),
    ]
    (row,) = (row for row in rows(store, f"{DAY}&group_by={grouping}") if row["model"] == UNKNOWN)
    assert row["unpriced"] == "true"


@pytest.mark.parametrize("query", [DAY, f"{DAY}&job=1&job=2"])
@pytest.mark.parametrize("unpriced", [1, 2])
def test_one_job_without_a_price_marks_its_group(query, unpriced):
    both = (job(n, created=NOW + timedelta(seconds=n)) for n in (1, 2))
    store = stored(
        *((each, usage(9, UNKNOWN if each.key.job_id == str(unpriced) else FLASH)) for each in both)
    )
    (result,) = results(store, query)
    assert (result["amount"]["value"], result["unpriced"]) == ("0.00000135", True)


@pytest.mark.parametrize(
    "rows", [Rows(succeeded=1, unmetered=1), Rows(malformed=1), Rows(unrecognized=1)], ids=str
)
def test_a_job_with_rows_of_unknown_cost_is_said_to_be_a_floor(rows):
    content = usage(1000) + Usage(rows)
    (result,) = results(stored((job(), content)), f"{DAY}&group_by=job")
    assert (result["amount"]["value"], result["unpriced"]) == ("0.00015", True)


@pytest.mark.parametrize("grouping", ["", "&group_by=job"])
def test_what_is_free_or_was_taken_back_is_not_unpriced(grouping):
    record = job(1)
    store = stored((record, usage(7, UNKNOWN)), (job(2), usage(5, item="input_grounding")))
    settle(store, record, usage(0), generation=2)
    assert results(store, DAY + grouping) == []


def test_while_the_store_is_down_nothing_is_answered():
    store = stored(*ONE)
    store.down = True
    for query in (DAY, f"{DAY}&group_by=job"):
        with pytest.raises(StoreUnavailableError):
            costs(store, query)
        with pytest.raises(StoreUnavailableError):
            export(store, query)


# --- The file


@pytest.mark.parametrize("name", ["__x__", "____", "__name__"])
def test_a_label_may_have_a_name_of_firestores_own(name):
    store = stored((job(1, labels={name: "1"}), usage(1000)), (job(2), usage(1)))
    (one,) = results(store, f"{DAY}&label:{name}=1&group_by=label:{name}")
    assert one["amount"]["value"] == "0.00015"
    assert core_spend.equalities([(f"label:{name}", frozenset({"1"}))]) == {}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (f"label:{'x' * 129}=1", "more than 128 bytes"),
        (f"group_by=label:{'é' * 65}", "more than 128 bytes"),
        ("group_by=" + ",".join(f"label:{n}" for n in range(11)), "group_by: must not name more than 10"),
        ("&".join(f"label:{n}=1" for n in range(11)), "filters: must not name more than 10"),
    ],
)
def test_fields_are_so_many_and_so_long(query, problem):
    for call in (costs, export):
        assert problem in refusal(stored(*ONE), f"{DAY}&{query}", call)


def test_a_file_over_all_time_counts_through_no_days_to_come(monkeypatch):
    summed = []
    monkeypatch.setattr(
        spend_module,
        "sum_by_bucket",
        lambda *given: summed.append(given[1]) or core_spend.sum_by_bucket(*given),
    )
    text = export(stored(*ONE), "start_time=0&end_time=9999-01-01T00:00:00Z").get_data(as_text=True)
    assert len(text.splitlines()) == 2
    assert summed[0].end == NOW + timedelta(days=366)


def test_a_file_has_a_row_for_each_day_and_group():
    store = stored(
        (job(1), usage(1000)),
        (job(2, created=NOW + timedelta(days=1), team=None), usage(1)),
        (job(3, created=NOW + timedelta(days=1)), usage(2)),
    )
    answer = export(store, "start_time=2026-11-20T00:00:00Z&end_time=2026-12-01T00:00:00Z&time_zone=-08:00")
    assert answer.content_type == "text/csv; charset=utf-8; header=present"
    name = "costs-20261119T1600-20261130T1600.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    first, second = "2026-11-22T00:00:00-08:00", "2026-11-23T00:00:00-08:00"
    assert answer.get_data(as_text=True).splitlines(keepends=True) == [
        "start_time,end_time,model,team,api_key,project,location,amount,currency,unpriced\r\n",
        f"{first},{second},{FLASH},search,nightly,acme-batch,us-central1,0.00015,USD,false\r\n",
        f"{second},2026-11-24T00:00:00-08:00,{FLASH},search,nightly,acme-batch,us-central1,0.0000003,USD,false\r\n",
        f"{second},2026-11-24T00:00:00-08:00,{FLASH},,nightly,acme-batch,us-central1,0.00000015,USD,false\r\n",
    ]


def test_a_file_of_jobs_has_a_row_for_each_also_if_it_cost_nothing():
    both = usage(1000) + usage(1, LITE, "output_text")
    store = stored((job(1), both), (job(2, created=NOW + timedelta(1), labels={MARKER_LABEL: "x"}), None))
    span = "start_time=2026-11-01T00:00:00Z&end_time=2026-12-01T00:00:00Z"
    found = rows(store, f"{span}&group_by=job,team,label:{MARKER_LABEL}")
    assert [(row["job"][-1], row["display_name"], row["team"], row["amount"]) for row in found] == [
        ("1", "job 1", "search", "0.000150825"),
        ("2", "job 2", "search", "0"),
    ]
    assert found[0]["create_time"] == "2026-11-22T12:07:08Z"
    assert found[0]["state"] == "JOB_STATE_SUCCEEDED"
    assert {row[f"label:{MARKER_LABEL}"] for row in found} == {""}
    by_model = rows(store, f"{span}&group_by=job,model")
    assert [row["model"] for row in by_model] == [FLASH, LITE, FLASH]


def test_a_long_list_of_jobs_is_read_in_pages(monkeypatch):
    monkeypatch.setattr(spend_module, "_JOBS", 2)
    same_time = [(job(n), usage(10**n)) for n in range(5)]
    assert len(rows(stored(*same_time), f"{DAY}&group_by=job")) == 5


def test_no_cell_of_a_days_row_is_a_formula():
    store = stored((job(1, team="=1+1"), usage(1)))
    (row,) = rows(store, DAY)
    assert row["team"] == "'=1+1"


def test_a_field_that_is_asked_for_twice_is_one_column():
    header = export(MemoryStore(), f"{DAY}&group_by=team,model&group_by=team").get_data(as_text=True)
    assert header == "start_time,end_time,team,model,amount,currency,unpriced\r\n"


@pytest.mark.parametrize("kind", ["csv", "focus"])
def test_no_cell_is_a_formula(kind):
    evil = '=HYPERLINK("http://evil","x")'
    store = stored(
        (job(1, team=evil, api_key="+1", display_name="@SUM(A1)", labels={"env": "-2"}), usage(1, "=cmd"))
    )
    grouping = "&group_by=job" if kind == "focus" else "&group_by=job,team,api_key,model,label:env"
    (row,) = rows(store, f"{DAY}&format={kind}{grouping}")
    assert not [value for value in row.values() if value.startswith(tuple("=+-@"))]
    assert f"'{evil}" in row.values()
    assert {"'+1", "'@SUM(A1)", "'=cmd"} <= set(row.values())


def test_a_file_that_breaks_off_does_not_end_well(monkeypatch, capsys):
    monkeypatch.setattr(spend_module, "_JOBS", 2000)
    store = stored(*((job(n), usage(1)) for n in range(2000)))

    class Broken(MemoryStore):
        def jobs_created(self, start, end, after, limit):
            if after:
                raise StoreUnavailableError("gone")
            return store.jobs_created(start, end, after, limit)

    answer = export(Broken(), f"{DAY}&group_by=job")
    with pytest.raises(StoreUnavailableError):
        answer.get_data()
    assert "export broke off" in capsys.readouterr().out


def test_a_focus_file_wants_whole_days_of_utc():
    store = stored(*ONE)
    assert "whole days of UTC" in refusal(store, "start_time=900&format=focus", export)
    assert "whole days of UTC" in refusal(store, "start_time=0&end_time=900&format=focus", export)
    assert "is in UTC" in refusal(store, f"{DAY}&format=focus&time_zone=-08:00", export)
    assert "only job" in refusal(store, f"{DAY}&format=focus&group_by=team", export)
    assert "csv or focus" in refusal(store, f"{DAY}&format=xls", export)
    assert len(rows(store, "start_time=2026-11-22&format=focus")) == 1
    assert len(rows(store, "start_time=2026-11-22T12:00:00Z&format=focus&group_by=job")) == 1
    assert rows(store, "start_time=2026-11-22T12:15:00Z&end_time=2026-11-23&format=focus&group_by=job") == []


class TestValues:
    """`/v1/costs:values`: what there is to filter by."""

    STORE = (
        (job(1, labels={"team": "search", "environment": "staging"}), usage(10)),
        (job(2, labels={"team": "search", "environment": "production", MARKER_LABEL: "x"}), usage(10, PRO)),
        (job(3, team="ads", api_key="weekly", labels={"team": "ads", "version": "v3"}), usage(10)),
        (job(4, team="late", created=NOW - timedelta(days=40)), usage(10)),
        (job(5, team="idle"), None),
    )

    def listed(self, query="", caller=ADMIN):
        values = FilterValues(stored(*self.STORE), lambda: NOW)
        return json.loads(values.list(request(f"start_time=2026-11-01T00:00:00Z{query}"), caller).data)

    def test_they_are_those_of_the_spend_of_a_time(self):
        assert self.listed() == {
            "object": "values",
            "model": [FLASH, PRO],
            "team": ["ads", "search"],
            "api_key": ["nightly", "weekly"],
            "project": ["acme-batch"],
            "location": ["us-central1"],
            "labels": {"environment": ["production", "staging"], "version": ["v3"]},
            "complete": True,
        }

    def test_a_key_gets_those_of_its_team(self):
        caller = Caller(api_key="weekly", team="ads", key_id="1")
        found = self.listed(caller=caller)
        assert (found["team"], found["api_key"], found["labels"]) == (
            ["ads"],
            ["weekly"],
            {"version": ["v3"]},
        )

    def test_filters_hold_for_them(self):
        assert self.listed(f"&model={PRO}")["labels"] == {"environment": ["production"]}

    def test_more_than_an_answer_holds_are_said_to_be_missing(self, monkeypatch):
        monkeypatch.setattr(values_module, "_MOST_VALUES", 1)
        found = self.listed()
        assert (found["model"], found["complete"]) == ([FLASH], False)
        monkeypatch.undo()
        monkeypatch.setattr(values_module, "_MOST_ENTRIES", 1)
        assert not self.listed()["complete"]

    def test_a_list_that_is_just_full_is_complete_although_some_jobs_have_no_value(self, monkeypatch):
        monkeypatch.setattr(values_module, "_MOST_VALUES", 1)
        store = stored((job(1, team="search"), usage(1)), (job(2, team=None), usage(1)))
        found = json.loads(FilterValues(store, lambda: NOW).list(request(DAY), ADMIN).data)
        assert (found["team"], found["complete"]) == (["search"], True)

    @pytest.mark.parametrize("query", ["&group_by=model", "&time_zone=Z", "&job=1", "&color=red", "&limit=1"])
    def test_what_has_no_meaning_is_refused(self, query):
        with pytest.raises(ApiError) as refused:
            self.listed(query)
        assert refused.value.reason == "FIELD_INVALID"
        assert query.strip("&").partition("=")[0] in str(refused.value)
