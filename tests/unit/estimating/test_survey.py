"""From rows to amounts: history and defaults, what was not read, prices, and what is said about it."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.estimating import Survey, estimate_report
from batch_gateway.core.estimating import survey as survey_module
from batch_gateway.core.estimating.habits import default_habit, habit_of
from batch_gateway.core.estimating.sampling import Line, Object
from batch_gateway.core.estimating.text import tokens_of
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import cost_of
from batch_gateway.core.timing.job_times import Expectation, Quantiles
from batch_gateway.core.usage import Quantity, Rows, Tokens, Usage

TABLE = prices.load()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FLASH = "publishers/google/models/gemini-2.5-flash"
PRO = "publishers/google/models/gemini-2.5-pro"
LITE = "publishers/google/models/gemini-2.5-flash-lite"
OBJECT = Object("in", "rows.jsonl", 1, 0)
TEXT = "How long is a piece of string?"


def row(text=TEXT, limit=None, **members):
    config = {"generationConfig": {"maxOutputTokens": limit}} if limit else {}
    return {"request": {"contents": [{"role": "user", "parts": [{"text": text}]}], **config, **members}}


def job(rows=10, output=1000, thoughts=0, model=FLASH, asked=500, **more):
    name = "projects/1/locations/us-central1/batchPredictionJobs/1"
    usage = Usage(Rows(succeeded=rows), Tokens(input=asked, output=output, thoughts=thoughts))
    seen = Observation(name, "JOB_STATE_SUCCEEDED", model=model)
    return JobRecord(JobKey("p", "us-central1", "1"), seen, NOW, usage=usage, **more)


def lines_of(rows):
    encoded = [each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n" for each in rows]
    return [Line(line, number, len(line)) for number, line in enumerate(encoded, 1)]


def surveyed(*places, model=FLASH, jobs=(), size=None, location="us-central1", at=NOW):
    habit = habit_of(jobs, "team search", model, TABLE) or default_habit(model)
    survey = Survey(model, habit, TABLE, lambda _: None)
    read = 0
    for place in places:
        lines = lines_of(place)
        read += sum(line.size for line in lines)
        survey.read(OBJECT, lines, lambda: True)
    return survey.estimate(read if size is None else size, location=location, at=at)


def priced(model, window, at=NOW, location="us-central1", **items):
    usage = Usage(
        quantities=tuple(Quantity(model, window, item, number, 1) for item, number in items.items())
    )
    return cost_of(usage, TABLE, location=location, at=at).amount_nano


def test_amounts_are_tokens_times_the_price_in_force():
    found = surveyed([row(limit=100)] * 20)
    text = tokens_of(TEXT)
    assert found.input == (20 * text.low, 20 * text.expected, 20 * (text.high + 8))
    assert found.output == (20 * 20, 20 * 100, 20 * 100)
    for amount, tokens, written in zip(
        (found.low_nano, found.expected_nano, found.high_nano), found.input, found.output, strict=True
    ):
        assert amount == priced("gemini-2.5-flash", "0-200k", input_text=tokens, output_text=written)
    assert (found.rows, found.exact_rows, found.sampled, found.invalid) == (20, True, 20, 0)


def test_the_date_and_the_location_decide_the_price():
    model = "publishers/google/models/gemini-3.8-flash"
    now = surveyed([row(limit=50)] * 100, model=model, location="global")
    later = surveyed(
        [row(limit=50)] * 100, model=model, location="global", at=datetime(2027, 2, 1, tzinfo=UTC)
    )
    region = surveyed([row(limit=50)] * 100, model=model)
    assert later.expected_nano == 2 * now.expected_nano
    assert region.expected_nano == pytest.approx(1.1 * now.expected_nano, rel=1e-6)


@pytest.mark.parametrize(
    ("model", "at", "times"),
    [
        # (0.375, 1.875) doubles on 2027-01-01; (1, 5) on 2026-12-01. A job waits for 72 h at most.
        ("gemini-3.8-flash", "2026-12-28T23:59:59", 1),
        ("gemini-3.8-flash", "2026-12-29T00:00:00", 2),
        ("gemini-3.8-flash", "2026-12-31T20:00:00", 2),
        ("gemini-4-carbon", "2026-11-27T12:00:00", 1),
        ("gemini-4-carbon", "2026-11-30T09:00:00", 2),
        ("gemini-4-argon", "2026-12-01T00:00:00", 1),
    ],
)
@pytest.mark.parametrize("location", ["global", "us-east5"])
def test_the_high_takes_the_dearest_price_until_the_job_has_started(model, at, times, location):
    at = datetime.fromisoformat(f"{at}+00:00")
    resource = f"publishers/google/models/{model}"
    found = surveyed([row(limit=70)] * 30, model=resource, location=location, at=at)
    low, expected, high = (
        priced(model, "0-200k", at=at, location=location, input_text=asked, output_text=written)
        for asked, written in zip(found.input, found.output, strict=True)
    )
    assert (found.low_nano, found.expected_nano) == (low, expected)
    assert found.high_nano == pytest.approx(times * high, abs=2)
    until = (at + timedelta(hours=72)).strftime("%Y-%m-%dT%H:%MZ")
    assert f"The high takes the highest until {until}" in " ".join(found.assumptions)


def test_a_fall_of_the_price_does_not_lower_the_high_before_it():
    at = datetime(2026, 8, 12, tzinfo=UTC)
    found = surveyed([row(limit=70)], model="publishers/google/models/gemini-3.6-flash", at=at)
    written = found.output[2]
    assert found.high_nano == priced(
        "gemini-3.6-flash", "0-200k", at=at, input_text=found.input[2], output_text=written
    )


def test_people_are_warned_of_what_becomes_of_a_model():
    carbon = surveyed([row(limit=5)], model="publishers/google/models/gemini-4-carbon")
    assert [each for each in carbon.warnings if "gemini-4-carbon rises on 2026-12-01" in each]
    flash = surveyed([row(limit=5)])
    assert [each for each in flash.warnings if "closed to projects that have not used it" in each]
    assert not [each for each in flash.warnings if "due for retirement" in each]
    january = surveyed([row(limit=5)], at=datetime(2027, 1, 5, tzinfo=UTC))
    assert [each for each in january.warnings if "due for retirement on 2027-01-28" in each]
    assert [each for each in table_estimate(9, job()).warnings if "closed to projects" in each]


def test_people_are_told_which_prices_are_derived_or_disputed():
    opus = surveyed([], model="publishers/anthropic/models/claude-opus-5-5")
    assert [each for each in opus.assumptions if each.startswith("Prices of claude-opus-5-5, disputed: ")]
    neon = surveyed([row(limit=5)], model="publishers/google/models/gemini-4-neon")
    assert [each for each in neon.assumptions if "derived: No batch price was ever published" in each]
    lite = table_estimate(9, job(model=LITE), model=LITE)
    assert [each for each in lite.assumptions if each.startswith("Prices of gemini-2.5-flash-lite, disputed")]


def test_a_long_prompt_pays_the_long_price_for_all_of_its_row():
    words = "alpha beta gamma delta " * 60_000
    found = surveyed([row(words, limit=10)], model=PRO)
    tokens = tokens_of(words)
    assert tokens.expected > 200_000
    assert found.expected_nano == priced(
        "gemini-2.5-pro", "200k-1M", input_text=tokens.expected, output_text=10
    )


@pytest.mark.parametrize(
    ("limit", "jobs", "expected"),
    [
        (None, [], 200 + 400),
        (300, [], 300),
        (None, [job(10, 1000), job(30, 1000)], 50),
        (40, [job(10, 1000), job(30, 1000)], 40),
        (None, [job(10, 1000, model=PRO)], 600),
        (None, [job(10, 1000, model=f"projects/p/locations/l/{FLASH}")], 100),
        (None, [job(10, 1000, model="projects/p/locations/l/models/7", base_model="gemini-2.5-flash")], 100),
        (None, [job(0, 0)], 600),
    ],
    ids=["default", "limit", "history", "both", "another-model", "full-name", "tuned", "no-rows"],
)
def test_the_expected_output_is_history_else_the_default_and_never_above_the_limit(limit, jobs, expected):
    found = surveyed([row(limit=limit)] * 10, jobs=jobs)
    assert found.output[1] == 10 * expected
    assert found.output[2] == 10 * (limit or 65_536)
    assert found.output[0] <= found.output[1]


def test_a_thinking_budget_bounds_the_thoughts_that_are_expected():
    config = {"thinkingConfig": {"thinkingBudget": 0}}
    assert surveyed([row(generationConfig=config)]).output[1] == 200
    config = {"thinkingConfig": {"thinkingBudget": 128}}
    assert surveyed([row(generationConfig=config)]).output[1] == 328


def test_candidates_multiply_the_output():
    config = {"candidateCount": 3, "maxOutputTokens": 100}
    assert surveyed([row(generationConfig=config)]).output[1:] == (300, 300)


def test_images_are_priced_as_images():
    model = "publishers/google/models/gemini-2.5-flash-image"
    found = surveyed([row()] * 10, model=model)
    text = tokens_of(TEXT).expected
    assert found.expected_nano == priced(
        "gemini-2.5-flash-image", "0-200k", input_text=10 * text, output_image=12_900
    )


def test_a_model_of_images_need_not_be_called_so():
    model = "publishers/google/models/gemini-nano-banana-2.1"
    found = surveyed([row()], model=model)
    assert found.output == (1120, 1120, 32_768)
    assert found.expected_nano == priced(
        "gemini-nano-banana-2.1", "0-200k", input_text=found.input[1], output_image=1120
    )


def test_embeddings_have_no_output_and_old_ones_count_characters():
    rows = [{"content": "a b c"}] * 1000
    found = surveyed(rows, model="publishers/google/models/text-embedding-005")
    assert (
        found.low_nano
        == found.expected_nano
        == found.high_nano
        == priced("text-embedding-005", "", input_text=3000)
    )
    assert found.output == (0, 0, 0)
    embedding = {"request": {"content": {"parts": [{"text": TEXT}]}}}
    found = surveyed([embedding] * 100, model="publishers/google/models/gemini-embedding-001")
    assert found.expected_nano == priced(
        "gemini-embedding-001", "0-200k", input_text=100 * tokens_of(TEXT).expected
    )


def test_a_model_without_a_price_costs_an_unknown_amount_never_nothing():
    found = surveyed([row()], model="publishers/google/models/gemini-99-unheard-of")
    assert (found.low_nano, found.expected_nano, found.high_nano) == (None, None, None)
    assert "no matching price" in found.warnings[0]
    assert found.input[1] == tokens_of(TEXT).expected
    report = estimate_report(found, Expectation(Quantiles(), Quantiles(), 0, 30))
    assert (report.low, report.expected, report.high) == (None, None, None)


def test_custom_models_cost_an_unknown_amount():
    found = surveyed([{"x": 1}] * 3, model="projects/p/locations/l/models/7")
    assert (found.rows, found.expected_nano) == (3, None)
    assert "custom models" in found.warnings[0]


def test_a_body_without_a_model_is_told_so():
    found = surveyed([{"x": 1}], model="")
    assert "the body has no model" in found.warnings[0]


def test_without_any_limit_the_high_is_unknown():
    model = "publishers/meta/models/llama-4-scout-17b-16e-instruct-maas"
    chat = {"body": {"messages": [{"role": "user", "content": TEXT}]}}
    found = surveyed([chat], model=model)
    assert found.high_nano is None
    assert found.expected_nano > 0
    assert any("set no limit" in warning for warning in found.warnings)
    chat["body"]["max_tokens"] = 10
    assert surveyed([chat], model=model).high_nano is not None


def test_rows_that_will_be_refused_are_in_the_high_only():
    bad = {"request": {"contents": [{"role": "tester", "parts": [{"text": TEXT}]}]}}
    found, alone = surveyed([row(limit=9), bad]), surveyed([row(limit=9)])
    assert (found.low_nano, found.expected_nano) == (alone.low_nano, alone.expected_nano)
    assert found.high_nano > alone.high_nano
    assert found.invalid == 1


def test_invalid_rows_are_named_up_to_twenty():
    rows = [row(), b"{\n", *[row(tools=[{"google_search": {}}])] * 30]
    found = surveyed(rows)
    assert found.invalid == 31
    assert [each.line for each in found.invalid_rows] == list(range(2, 22))
    assert found.invalid_rows[0].uri == "gs://in/rows.jsonl"
    assert "not a JSON object" in found.invalid_rows[0].reason
    assert any("fail the whole job before any row runs: 31 of" in warning for warning in found.warnings)
    assert any("Google Search" in warning for warning in found.warnings)


def test_rows_that_fail_the_whole_job_are_counted_and_named_before_those_that_fail_alone():
    alone = {"request": {"contents": [{"role": "tester", "parts": [{"text": TEXT}]}]}}
    found = surveyed([*[alone] * 30, b"{\n"])
    assert (found.invalid, found.fatal) == (31, 1)
    assert [each.line for each in found.invalid_rows] == [31, *range(1, 20)]
    assert estimate_report(found, Expectation(Quantiles(), Quantiles(), 0, 30)).rows.fatal == 1


def test_blank_lines_are_no_rows():
    assert surveyed([row(), b"\n", b"  \n", row()]).rows == 2


def test_an_input_without_rows_is_pointed_out():
    found = surveyed([])
    assert (found.rows, found.high_nano) == (0, 0)
    assert any("no rows" in warning for warning in found.warnings)


def test_what_was_not_read_is_like_the_rest_and_wider():
    place = [row(limit=50)] * 100
    size = sum(line.size for line in lines_of(place))
    once = surveyed(place)
    found = surveyed(place, size=10 * size)
    assert (found.rows, found.exact_rows, found.sampled) == (1000, False, 100)
    assert found.expected_nano == pytest.approx(10 * once.expected_nano, rel=1e-4)
    assert found.low_nano == pytest.approx((1 + 9 * 0.9) * once.low_nano, rel=1e-3)
    assert found.high_nano == pytest.approx((1 + 9 * 1.1) * once.high_nano, rel=1e-3)
    assert found.high_nano > 10 * once.high_nano
    assert any("in 1 places" in said for said in found.assumptions)


def test_places_that_differ_widen_the_range():
    short, long = [row("a", limit=10)] * 50, [row(TEXT * 20, limit=10)] * 50
    size = sum(line.size for line in lines_of([*short, *long]))
    both = surveyed(short, long, size=10 * size)
    dense, sparse = (surveyed(each, size=10 * size) for each in (short, long))
    assert both.low_nano < both.expected_nano < both.high_nano
    # Rows of little text have most rows and so most output by the byte; they bound the high.
    assert both.high_nano > 0.9 * dense.high_nano
    assert both.low_nano < 1.2 * sparse.low_nano


@given(
    st.lists(
        st.lists(st.tuples(st.text(max_size=60), st.none() | st.integers(1, 9000)), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 50),
    st.sampled_from([FLASH, PRO, "publishers/google/models/gemini-3.5-flash"]),
)
def test_amounts_and_tokens_are_in_order_and_grow_with_the_input(places, factor, model):
    rows = [[row(text, limit) for text, limit in place] for place in places]
    size = sum(line.size for place in rows for line in lines_of(place))
    small, large = surveyed(*rows, model=model), surveyed(*rows, model=model, size=factor * size)
    for found in (small, large):
        assert 0 <= found.low_nano <= found.expected_nano <= found.high_nano
        assert found.input[0] <= found.input[1] <= found.input[2]
        assert found.output[0] <= found.output[1] <= found.output[2]
    assert large.high_nano >= small.high_nano
    assert large.expected_nano >= small.expected_nano


def test_nothing_read_in_time_is_nothing_known():
    survey = Survey(FLASH, default_habit(FLASH), TABLE, lambda _: None)
    found = survey.estimate(1000, location="global", at=NOW)
    assert found.expected_nano is None
    assert "in time" in found.warnings[0]


def test_when_time_is_up_the_rest_is_not_read():
    survey = Survey(FLASH, default_habit(FLASH), TABLE, lambda _: None)
    lines = lines_of([row(limit=5)] * 100)
    answers = iter([True] * 9 + [False])
    survey.read(OBJECT, lines, lambda: next(answers))
    found = survey.estimate(sum(line.size for line in lines), location="global", at=NOW)
    assert (found.sampled, found.rows, found.exact_rows) == (10, 100, False)


def test_no_more_rows_are_read_than_are_needed(monkeypatch):
    monkeypatch.setattr(survey_module, "MOST_ROWS", 7)
    found = surveyed([row(limit=5)] * 20, [row(limit=5)] * 20)
    assert (found.sampled, found.rows) == (8, 40)


def test_a_row_that_is_too_long_is_one_of_those_that_were_read():
    survey = Survey(FLASH, default_habit(FLASH), TABLE, lambda _: None)
    survey.read(OBJECT, [Line(None, None, 40 * 1024**2), *lines_of([row()])], lambda: True)
    found = survey.estimate(40 * 1024**2, location="us-central1", at=NOW)
    assert (found.rows, found.sampled, found.invalid) == (2, 2, 1)


def test_limits_of_vertex_ai_are_pointed_out():
    place = [row(limit=5)] * 10
    found = surveyed(place, size=2 * 10**9)
    assert any("200,000" in warning for warning in found.warnings)
    assert any("1 GB" in warning for warning in found.warnings)
    many = surveyed([{"content": "a"}] * 30_001, model="publishers/google/models/text-embedding-005")
    assert any("30,000" in warning for warning in many.warnings)


def table_estimate(rows, *jobs, model=FLASH):
    habit = habit_of(jobs, "team search", model, TABLE) or default_habit(model)
    survey = Survey(model, habit, TABLE, lambda _: None)
    return survey.estimate_of_table(rows, location="us-central1", at=NOW)


def test_a_table_costs_what_earlier_rows_did():
    found = table_estimate(1000, job(10, 1000, asked=500), job(10, 3000, asked=300))
    assert (found.rows, found.exact_rows, found.sampled) == (1000, True, 0)
    assert found.expected_nano == priced(
        "gemini-2.5-flash", "0-200k", input_text=40 * 1000, output_text=200 * 1000
    )
    assert found.low_nano < found.expected_nano
    assert found.high_nano is None


def test_a_table_costs_by_the_character_where_earlier_rows_did():
    model = "publishers/google/models/text-embedding-005"
    quantities = (Quantity("text-embedding-005", "", "input_text", 4500, 10),)
    usage = Usage(Rows(succeeded=10), Tokens(input=1000), quantities=quantities)
    found = table_estimate(1000, msgspec.structs.replace(job(model=model), usage=usage), model=model)
    assert found.input[:2] == (450_000, 450_000)
    assert found.expected_nano == priced("text-embedding-005", "", input_text=450 * 1000)
    assert "450 characters a row" in found.assumptions[0]


def test_a_table_without_history_costs_an_unknown_amount():
    found = table_estimate(1000)
    assert (found.rows, found.expected_nano) == (1000, None)
    assert "no history" in found.warnings[0]


def test_every_figure_says_where_it_is_from():
    found = surveyed([row(limit=5), row()], jobs=[job(12_000, 1_200_000)])
    said = " ".join(found.assumptions)
    assert "history of team search with gemini-2.5-flash (1 jobs, 12,000 rows): 100 tokens a row" in said
    assert "maxOutputTokens (max_tokens) of the rows, in 1 rows" in said
    assert "65,536 tokens, the model's documented limit, for 1 rows" in said
    assert "Cached tokens: none" in said
    assert "in force on 2026-11-22" in said
    assert "by default 200 tokens" in " ".join(surveyed([row()]).assumptions)


def test_the_report_is_as_the_api_has_it():
    found = surveyed([row(limit=10), b"{\n"])
    report = json.loads(
        msgspec.json.encode(estimate_report(found, Expectation(Quantiles(), Quantiles(), 0, 30)))
    )
    assert report["currency"] == "USD"
    assert report["model"] == "gemini-2.5-flash"
    assert report["rows"] == {"total": 2, "exact": True, "sampled": 2, "invalid": 1, "fatal": 1}
    assert report["outputTokens"] == {"low": 10, "expected": 10, "high": 10}
    assert report["inputTokens"]["expected"] == tokens_of(TEXT).expected
    assert isinstance(report["expected"], str)
    assert report["invalidRows"] == [
        {
            "uri": "gs://in/rows.jsonl",
            "line": 2,
            "reason": "is not a JSON object; the whole job would fail to import",
        }
    ]
    assert report["priceTable"] == TABLE.version
