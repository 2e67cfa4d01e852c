"""From a create through the gateway to a final cost, for every kind of job and row."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest

from builders import prompt
from integration.harness import OUTPUT_BUCKET, jobs_path, nano
from integration.recounting import expected, expected_by_recount
from patience import PATIENCE
from processes import wait_until

LONG = 200_000
RECOUNTED = {"model": "gemini-3.5-flash", "location": "global"}


def item(cost, name):
    found = [each for each in cost["lineItems"] if each["item"] == name]
    assert len(found) == 1, cost["lineItems"]
    return found[0]


def test_a_job_costs_what_its_rows_add_up_to(system):
    rows = [prompt(f"Question {number}: {'why? ' * number}") for number in range(25)]
    job, cost, output = system.run(rows, **RECOUNTED)
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 25}
    assert own.amount == expected_by_recount(output) > 0
    assert (cost["state"], cost["complete"], cost["model"]) == (
        "JOB_STATE_SUCCEEDED",
        True,
        "gemini-3.5-flash",
    )
    assert cost["progress"] == {"completed": 25, "total": 25}
    assert cost["projected"] is None
    assert cost["priceTable"]
    assert sum(each["rows"] for each in cost["outputs"]) == 25
    assert cost["usage"]["totalTokens"] == cost["usage"]["inputTokens"] + cost["usage"]["outputTokens"]
    (cell,) = system.totals(job)
    assert (cell["model"], cell["apiKey"], cell["team"]) == ("gemini-3.5-flash", "master", "")


def test_amounts_are_exact_below_a_nano_dollar(system):
    # 1 token of input is 150 nano-USD, but 12.5 for a cached one of gemini-3.1-flash-lite.
    rows = [prompt(prompt_tokens=101, cached=1, output_tokens=1)] * 3
    job, cost, _ = system.run(rows, model="gemini-3.1-flash-lite", location="global")
    # 300 x 125 + 3 x 12.5 + 3 x 750 nano-USD = 39787.5, halves go to the even neighbour
    system.check(job, cost, 39_788)


def test_failed_rows_are_free_and_counted(system):
    rows = [prompt("good"), prompt("bad", fail=True), prompt("late", fail="Deadline exceeded while waiting.")]
    job, cost, output = system.run(rows, **RECOUNTED)
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 1, "failed": 2}
    assert own.amount == expected_by_recount(output) > 0
    assert cost["progress"] == {"completed": 3, "total": 3}


def test_a_job_of_failed_rows_only_costs_nothing(system):
    job, cost, _ = system.run([prompt("bad", fail=True)] * 2)
    assert system.check_against_output(job, cost).rows == {"failed": 2}
    assert (cost["amount"], cost["complete"], cost["lineItems"]) == ("0", True, [])


@pytest.mark.parametrize(
    ("emulate", "items"),
    [
        ({"thoughts": 77}, {"output_thoughts": (77, "0.00000125")}),
        ({"prompt_tokens": 500, "cached": 400}, {"cached_input_text": (400, "0.00000003")}),
        ({"prompt_tokens": 900, "audio": 800}, {"input_audio": (800, "0.0000005")}),
        ({"prompt_tokens": 600, "image": 258}, {"input_image": (258, "0.00000015")}),
        ({"prompt_tokens": 10, "tool_use": 90}, {"input_text": (100, "0.00000015")}),
        ({"prompt_tokens": 10, "blocked": True}, {"input_text": (10, "0.00000015")}),
        (
            {"prompt_tokens": 50, "thoughts": 5, "cached": 20, "no_details": True},
            {"input_text": (30, "0.00000015")},
        ),
    ],
    ids=["thoughts", "cached", "audio", "image", "tool-use", "blocked", "no-details"],
)
def test_each_kind_of_token_has_its_own_price(system, emulate, items):
    job, cost, _ = system.run([prompt(**emulate)])
    system.check_against_output(job, cost)
    for name, (quantity, price) in items.items():
        assert (item(cost, name)["quantity"], item(cost, name)["unitPrice"]) == (quantity, price)


def test_tool_use_of_a_search_is_not_billed_by_the_token(system):
    job, cost, _ = system.run([prompt(prompt_tokens=10, tool_use=90, web_search=True)])
    system.check_against_output(job, cost)
    assert item(cost, "input_text")["quantity"] == 10


def test_images_made_by_an_image_model(system):
    job, cost, _ = system.run([prompt(output_image=1290)], model="gemini-2.5-flash-image")
    system.check_against_output(job, cost)
    assert item(cost, "output_image")["unitPrice"] == "0.000015"


def test_a_row_without_usage_is_unpriced_not_free(system):
    job, cost, _ = system.run([prompt("a", no_usage=True), prompt("b")])
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 2, "unpriced": 1}
    assert cost["complete"] is False
    assert nano(cost["amount"]) > 0


def test_everything_in_one_job(system):
    rows = [
        prompt("plain"),
        prompt("failed", fail=True),
        prompt("all at once", prompt_tokens=5000, audio=700, image=258, cached=900, thoughts=300),
        prompt("tools", tool_use=512, thoughts=3),
        prompt("blocked", blocked=True),
        prompt("old", no_details=True),
        prompt("nothing known", no_usage=True),
        prompt("cut off", malformed=True),
    ] * 7
    job, cost, _ = system.run(rows)
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 42, "failed": 7, "malformed": 7, "unpriced": 7}


@pytest.mark.parametrize(
    ("model", "location", "tokens", "price"),
    [
        ("gemini-2.5-pro", "global", LONG, "0.000000625"),
        ("gemini-2.5-pro", "global", LONG + 1, "0.00000125"),
        ("gemini-3.1-flash-lite", "global", LONG + 1, "0.000000125"),
        ("gemini-3.1-flash-lite", "us-central1", LONG + 1, "0.0000001375"),
        ("gemini-3.1-pro-preview", "europe-west4", LONG, "0.0000011"),
        ("gemini-3.1-pro-preview", "europe-west4", LONG + 1, "0.0000022"),
    ],
)
def test_long_prompts_and_regions(system, model, location, tokens, price):
    rows = [prompt(prompt_tokens=tokens, cached=50_000, thoughts=100, output_tokens=900)]
    job, cost, _ = system.run(rows, model=model, location=location)
    system.check_against_output(job, cost)
    assert item(cost, "input_text")["unitPrice"] == price
    assert {each["contextWindow"] for each in cost["lineItems"]} == {"200k-1M" if tokens > LONG else "0-200k"}


def test_long_and_short_rows_of_one_job_have_their_own_prices(system):
    rows = [prompt(prompt_tokens=tokens, output_tokens=10) for tokens in (10, LONG, LONG + 1, 900_000)]
    job, cost, _ = system.run(rows, model="gemini-2.5-pro", location="global")
    system.check_against_output(job, cost)
    quantities = {
        each["contextWindow"]: each["quantity"] for each in cost["lineItems"] if each["item"] == "input_text"
    }
    assert quantities == {"0-200k": LONG + 10, "200k-1M": LONG + 1 + 900_000}


def test_an_unknown_model_is_unpriced_never_free(system):
    job, cost, _ = system.run([prompt("a"), prompt("b", thoughts=5)], model="my-own-model")
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 2, "unpriced": 2}
    assert (cost["amount"], cost["complete"], cost["model"]) == ("0", False, "my-own-model")
    assert cost["usage"]["totalTokens"] > 0
    assert {each["item"] for each in cost["lineItems"]} == {"input_text", "output_text", "output_thoughts"}
    assert all(each["unitPrice"] is None and each["amount"] is None for each in cost["lineItems"])
    (cell,) = system.totals(job)
    assert (cell["model"], cell["quarters"]) == ("my-own-model", dict.fromkeys(cell["quarters"], 0))
    assert cell["items"]["input_text"]["quantity"] > 0


def test_text_embeddings_are_billed_by_the_character(system):
    texts = ("Ten characters, no white space.", "zwölf Boxkämpfer\n\tjagen", "説明してください 🙂", " ")
    rows = [{"content": text} for text in texts] + [{"title": "no content"}]
    job, cost, _ = system.run(rows, model="text-embedding-005")
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 4, "failed": 1}
    (line,) = cost["lineItems"]
    assert (line["unit"], line["unitPrice"], line["contextWindow"]) == ("character", "0.00000002", None)
    assert line["quantity"] == sum(len("".join(text.split())) for text in texts)


def test_gemini_embeddings_are_billed_by_the_token_in_both_shapes(system):
    def row(text, **emulate):
        return {"key": text, "request": {"content": {"parts": [{"text": text}]}}, "emulate": emulate}

    rows = [
        row("as seen live"),
        row("as documented", docs_shape=True, prompt_tokens=1000),
        row("x", fail=True),
    ]
    job, cost, _ = system.run(rows, model="gemini-embedding-001")
    own = system.check_against_output(job, cost)
    assert own.rows == {"succeeded": 2, "failed": 1}
    (line,) = cost["lineItems"]
    assert (line["unit"], line["unitPrice"], line["quantity"]) == ("token", "0.00000012", 1003)


def test_a_cancelled_job_costs_its_finished_rows(system):
    rows = [*(prompt(f"row {number}") for number in range(50)), prompt(hold=True)]
    job = system.submit(rows, **RECOUNTED)

    def completed():
        return int((system.upstream_job(job) or {}).get("completionStats", {}).get("successfulCount", 0))

    wait_until(lambda: completed() == 50, PATIENCE, "rows to be processed", interval=0.01)
    running = system.cost(job)
    assert (running["status"], running["state"]) == ("PENDING", "JOB_STATE_RUNNING")
    assert running["progress"]["total"] == 51
    cancelled = system.stack.request("POST", f"{job.path}:cancel")
    assert (cancelled.status_code, cancelled.json()) == (200, {})
    cost = system.final(job)
    own = system.check_against_output(job, cost)
    assert cost["state"] == "JOB_STATE_CANCELLED"
    assert own.rows["succeeded"] == 50
    assert own.amount == expected_by_recount(system.output(cost)) > 0
    assert cost["progress"] == {"completed": 50, "total": 51}


def ended_as(system, job, state):
    return system.cost_when(job, lambda cost: cost["state"] == state, f"show {state}")


def test_a_job_cancelled_without_output_is_not_final_while_some_may_come(system):
    job = system.submit([prompt(hold=True)])
    assert system.stack.request("POST", f"{job.path}:cancel").status_code == 200
    cost = ended_as(system, job, "JOB_STATE_CANCELLED")
    assert (cost["status"], cost["amount"], cost["complete"], cost["outputs"]) == ("PENDING", "0", False, [])


@pytest.mark.parametrize("state", ["JOB_STATE_EXPIRED", "JOB_STATE_PARTIALLY_SUCCEEDED"])
def test_a_job_that_ends_early_costs_its_finished_rows(system, state):
    job = system.submit([prompt(f"row {number}") for number in range(400)])
    ended = system.control("POST", f"jobs/{job.id}:finish", state=state, rows=150)
    cost = system.final(job)
    own = system.check_against_output(job, cost)
    assert cost["state"] == ended["state"] == state
    assert 150 <= own.rows["succeeded"] < 400
    assert own.amount > 0


def test_a_job_that_failed_costs_nothing_and_says_why(system):
    job = system.submit([prompt()], prefix="gs://no-such-bucket/output")
    cost = system.final(job)
    system.check(job, cost, 0)
    assert (cost["state"], cost["amount"], cost["complete"]) == ("JOB_STATE_FAILED", "0", True)
    shown = system.stack.get(job.path)
    assert shown["state"] == "JOB_STATE_FAILED"
    assert shown["error"] == {"code": 9, "message": "Failed to get GCS bucket location for no-such-bucket."}
    assert system.record(job)["seen"]["error"] == shown["error"]


def test_an_export_that_was_refused_is_incomplete_not_free(system):
    job = system.submit([prompt(f"row {number}") for number in range(400)])
    error = {"code": 7, "message": "Permission denied."}
    system.control("POST", f"jobs/{job.id}:finish", state="JOB_STATE_FAILED", error=error, write=False)
    cost = ended_as(system, job, "JOB_STATE_FAILED")
    assert (cost["status"], cost["complete"], cost["outputs"]) == ("PENDING", False, [])


def test_jobs_with_one_output_prefix_each_get_their_own_cost(system):
    prefix = f"gs://{OUTPUT_BUCKET}/shared-prefix"
    with ThreadPoolExecutor(8) as pool:
        jobs = list(
            pool.map(
                lambda number: system.submit(
                    [prompt(prompt_tokens=1000 * number, output_tokens=number)] * number,
                    prefix=prefix + ("/" if number % 2 else ""),
                ),
                range(1, 9),
            )
        )
    for number, job in enumerate(jobs, 1):
        cost = system.final(job)
        system.check_against_output(job, cost)
        assert cost["rows"]["succeeded"] == number
        assert Decimal(cost["amount"]) == number * number * Decimal("0.00015125")


@pytest.mark.parametrize(
    "prefix",
    [f"gs://{OUTPUT_BUCKET}", f"gs://{OUTPUT_BUCKET}/", f"gs://{OUTPUT_BUCKET}/a b/ü%20+#?&=:*[1]/~"],
    ids=["bucket", "bucket-slash", "odd-characters"],
)
def test_every_output_prefix_that_google_takes(system, prefix):
    job, cost, _ = system.run([prompt()], prefix=prefix)
    system.check_against_output(job, cost)
    assert cost["rows"]["succeeded"] == 1


@pytest.mark.parametrize(
    "model",
    [
        "publishers/google/models/gemini-2.5-flash",
        "publishers/google/models/gemini-2.5-flash@default",
        "projects/local-project/locations/us-central1/publishers/google/models/gemini-2.5-flash",
    ],
)
def test_google_s_own_names_of_a_model(system, model):
    job, cost, output = system.run([prompt()], model=model)
    system.check(job, cost, expected(output).nano)
    assert nano(cost["amount"]) > 0


def test_the_list_shows_what_google_lists_and_feeds_the_books(system):
    job = system.submit([prompt()])
    ended = system.ended_upstream(job)
    listed = system.stack.get(jobs_path(), params={"filter": f'display_name="{job.label}"'})
    assert listed == {"batchPredictionJobs": [ended]}
    assert system.record(job)["seen"]["state"] == "JOB_STATE_SUCCEEDED"
    system.check_against_output(job, system.final(job))


def test_a_cost_that_nobody_asks_for_becomes_final_too(system):
    job = system.submit([prompt()])
    wait_until(lambda: system.record(job)["closed"], PATIENCE, "the record to be closed", interval=0.03)
    own = expected(b"".join(system.stack.read_under(job.prefix).values()))
    assert system.record(job)["cost"]["amountNano"] == own.nano > 0
