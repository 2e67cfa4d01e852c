"""`vbatch run` from a file to its results, against a gateway that speaks the contract."""

import json
import os
import re
import threading
from types import SimpleNamespace

import pytest

from batch_gateway.core.access.input_names import uri_of
from batch_gateway.core.rows.row_results import STATES
from functional.contract_gateway import PARENT, PREFIX, ContractGateway, refusal
from functional.gateway.loopback import Answer
from functional.test_cli import Cli, pausing
from patience import PATIENCE
from running_files import check_run

MODEL = ("--model", "gemini-3.5-flash")
PLACE = ("--project", "acme", "--location", "global")
CREATE = f"{PARENT}/batchPredictionJobs"


@pytest.fixture
def gateway():
    with ContractGateway() as running:
        yield running


@pytest.fixture
def cli(gateway, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    for module in ("transfers", "retrying"):
        monkeypatch.setattr(f"gateway_cli.{module}.time", SimpleNamespace(sleep=lambda _: None))
    pausing(monkeypatch, lambda _: None)
    return Cli(gateway.url, monkeypatch, capsys, tmp_path)


@pytest.fixture
def rows(tmp_path):
    file = tmp_path / "my rows.jsonl"
    file.write_text("".join(f'{{"key": "k{n}", "request": {{"contents": []}}}}\n' for n in range(3)))
    return file


def submitted(gateway):
    """Body of the only job that was submitted."""
    (record,) = gateway.jobs.values()
    return record["job"]


def input_of(gateway):
    (uri,) = submitted(gateway)["inputConfig"]["gcsSource"]["uris"]
    return gateway.objects[uri]


def test_a_file_runs_to_its_results(cli, tmp_path):
    check_run(lambda *arguments: cli(*arguments).out, tmp_path, ("acme", "global"))


def test_the_file_is_uploaded_as_it_is_and_the_output_goes_where_the_gateway_says(
    cli, gateway, rows, tmp_path
):
    ran = cli("run", rows, *MODEL, *PLACE, "--label", "env=prod", "--label", "a=b=c", "--yes")
    job = submitted(gateway)
    (uri,) = job["inputConfig"]["gcsSource"]["uris"]
    assert gateway.objects[uri] == rows.read_bytes()
    assert uri.endswith("/my-rows.jsonl")
    folder = uri.removeprefix(f"{PREFIX}/").removesuffix(".jsonl")
    destination = job["outputConfig"]["gcsDestination"]["outputUriPrefix"]
    assert destination == f"gs://batch-out/teams/search/{folder}-output"
    assert (job["displayName"], job["labels"]) == ("my rows", {"env": "prod", "a": "b=c"})
    assert len((tmp_path / "my rows-results.jsonl").read_text().splitlines()) == 3
    assert "expected 0.0006 USD, from 0.0003 to 0.0009 USD" in ran.err
    assert "half waited 1 min 00 s or less, and nine in ten 2 min 00 s or less; half ran" in ran.err
    assert "3/3" in ran.err
    assert ran.pairs["cost, USD"] == "0.0003"
    assert ran.pairs["results"] == "my rows-results.jsonl"


@pytest.mark.parametrize(
    "stem",
    [
        *("predictions", "predictions_0001", "prediction-requests", "prediction.results-0-of-1"),
        *("errors_1", "incremental_predictions", "202611290300"),
    ],
)
def test_a_file_may_be_named_like_the_output_of_a_job(cli, gateway, rows, tmp_path, stem):
    cli("run", rows.rename(tmp_path / f"{stem}.jsonl"), *MODEL, *PLACE, "--yes")
    (uri,) = submitted(gateway)["inputConfig"]["gcsSource"]["uris"]
    assert uri.endswith(f"/input-{stem}.jsonl")
    assert uri_of(PREFIX, uri.removeprefix(f"{PREFIX}/")) == uri


def test_the_output_goes_where_it_is_sent(cli, gateway, rows):
    cli("run", rows, *MODEL, *PLACE, "--yes", "--output-prefix", "gs://batch-out/search/")
    (uri,) = submitted(gateway)["inputConfig"]["gcsSource"]["uris"]
    folder = uri.removeprefix(f"{PREFIX}/").removesuffix(".jsonl")
    destination = submitted(gateway)["outputConfig"]["gcsDestination"]["outputUriPrefix"]
    assert destination == f"gs://batch-out/search/{folder}-output"


def test_each_line_of_a_text_becomes_a_prompt(cli, gateway, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("one\n\n  tw\u00f6 {x}\n")
    cli("run", file, *MODEL, *PLACE, "--yes", "--prompt", "Translate {{literally}}: {line}!")
    made = [json.loads(line) for line in input_of(gateway).splitlines()]
    assert [(row["key"], row["request"]["contents"]) for row in made] == [
        ("line-1", [{"role": "user", "parts": [{"text": "Translate {literally}: one!"}]}]),
        ("line-3", [{"role": "user", "parts": [{"text": "Translate {literally}:   tw\u00f6 {x}!"}]}]),
    ]


def test_each_record_of_a_csv_file_becomes_a_prompt(cli, gateway, tmp_path):
    file = tmp_path / "reviews.csv"
    file.write_bytes('\ufefftext,first name,key\n"a ""b""\nc",Ann,x-1\n\nd,Bo,\n'.encode())
    cli("run", file, *MODEL, *PLACE, "--yes", "--prompt", "{first name}: {text}")
    made = [json.loads(line) for line in input_of(gateway).splitlines()]
    texts = [(row["key"], row["request"]["contents"][0]["parts"][0]["text"]) for row in made]
    assert texts == [("x-1", 'Ann: a "b"\nc'), ("row-2", "Bo: d")]


@pytest.mark.parametrize(
    ("name", "content", "prompt", "told"),
    [
        ("a.txt", b"hello\n", None, "not JSONL"),
        ("a.jsonl", b"", None, "is empty"),
        ("a.jsonl", b"[1]\n", None, "without a list around"),
        ("a.jsonl", b"{},\n{}\n", None, "without a comma behind"),
        ("a.jsonl", b"{\n}\n", None, "one whole object in each line"),
        ("a.jsonl", b"\xef\xbb\xbf{}\n", None, "byte order mark"),
        ("a.jsonl", b"{}\n", "{line}", "is JSONL"),
        ("a.txt", b"\n \n", "{line}", "has no rows"),
        ("a.txt", b"x\n", "{text}", "names text, but"),
        ("a.txt", b"x\n", "no name", "names no column"),
        ("a.txt", b"x\n", "{line", "--prompt: "),
        ("a.txt", b"x\n", "{line!r}", "plain names"),
        ("a.txt", b"x\n", "{line:>10}", "plain names"),
        ("a.txt", b"x\n", "{line.__class__}", "names line.__class__"),
        ("a.txt", b"\xff\n", "{line}", "is not UTF-8"),
        ("a.csv", b"a,b\n1\n", "{a}", "line 2: 1 cells"),
        ("a.csv", b"a,a\n1,2\n", "{a}", "two columns of the same name"),
        ("a.csv", b'a\n"x\n', "{a}", "line 2: unexpected end"),
        ("a.csv", b"a,key\n1,k\n2,k\n", "{a}", "key 'k' twice"),
        ("a.csv", b"a;b\n1;2\n", "{a}", "has: a;b"),
    ],
)
def test_what_is_no_input_is_not_uploaded(cli, gateway, tmp_path, *, name, content, prompt, told):
    (tmp_path / name).write_bytes(content)
    given = ("--prompt", prompt) if prompt else ()
    assert told in cli("run", tmp_path / name, *MODEL, *PLACE, "--yes", *given, status=2).err
    assert not gateway.asked("POST")


def test_a_file_that_cannot_be_read_is_named(cli, rows, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert "my rows.jsonl: Permission denied" in cli("run", rows, *MODEL, *PLACE, "--yes", status=2).err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("none.jsonl", *MODEL), "is not a file"),
        (("gs://in/rows.jsonl", *MODEL), "see `vbatch jobs submit --help`"),
        (("rows.jsonl",), "which --model?"),
        (("rows.jsonl", *MODEL, "--max-cost", "12,50"), "12.50"),
        (("rows.jsonl", *MODEL, "--out", "no/folder/x"), "cannot be written"),
        (("rows.jsonl", *MODEL, "--yes", "--out", "./rows.jsonl"), "holds the rows"),
        (("rows.jsonl", "--resume", "1"), "leave them out"),
        (("rows.jsonl", *MODEL, "--label", "x"), "NAME=VALUE"),
        (("rows.jsonl", *MODEL, "--yes", "--label", "a=b", "--label", "a=c"), "--label a is given twice"),
        (("rows.jsonl", *MODEL, "--output-prefix", "foo"), "gs://BUCKET/PATH"),
        (("rows.jsonl", *MODEL, "--yes", "--project", "acme"), "together"),
    ],
)
def test_a_run_that_makes_no_sense_uploads_nothing(cli, gateway, rows, arguments, told):
    rows.rename(rows.with_name("rows.jsonl"))
    assert told in cli("run", *arguments, status=2).err
    assert not gateway.asked("POST")


def test_results_that_are_there_are_overwritten_only_by_name(cli, gateway, rows, tmp_path):
    out = tmp_path / "my rows-results.jsonl"
    out.write_text("paid for")
    assert "--out" in cli("run", rows, *MODEL, *PLACE, "--yes", status=2).err
    assert (out.read_text(), gateway.jobs) == ("paid for", {})
    cli("run", rows, *MODEL, *PLACE, "--yes", "--out", out)
    assert len(out.read_text().splitlines()) == 3


def test_what_would_be_refused_is_refused_before_the_upload(cli, gateway, rows):
    gateway.before = lambda seen: (
        refusal(400, "INVALID_ARGUMENT", "LABELS_INVALID") if seen.target.endswith(":estimateCost") else None
    )
    cli("run", rows, *MODEL, *PLACE, "--yes", "--label", "a=b", "--output-prefix", "gs://out/x", status=1)
    (asked,) = gateway.asked("POST")
    assert json.loads(asked.body) == {
        "displayName": "my rows",
        "model": "gemini-3.5-flash",
        "labels": {"a": "b"},
        "outputConfig": {
            "predictionsFormat": "jsonl",
            "gcsDestination": {"outputUriPrefix": "gs://out/x"},
        },
    }


def test_it_asks_after_the_estimate(cli, gateway, rows):
    assert "--yes" in cli("run", rows, *MODEL, *PLACE, status=2).err
    assert not gateway.asked("POST")
    cli.answer("n\n")
    declined = cli("run", rows, *MODEL, *PLACE, status=1)
    assert "0.0009" in declined.err
    assert declined.err.endswith("Nothing was done.\n")
    assert "Error" not in declined.err
    assert gateway.jobs == {}
    cli.answer("y\n")
    cli("run", rows, *MODEL, *PLACE)
    assert len(gateway.jobs) == 1


@pytest.mark.parametrize(
    ("high", "most", "submits"),
    [("0.0009", "0.0009", True), ("0.0009", "0.00089", False), (None, "1000", False)],
)
def test_what_may_cost_more_than_the_limit_is_not_submitted(cli, gateway, rows, *, high, most, submits):
    gateway.estimate = {"high": high}
    ran = cli("run", rows, *MODEL, *PLACE, "--yes", "--max-cost", most, status=0 if submits else 1)
    assert bool(gateway.jobs) == submits
    assert submits or "Nothing was submitted" in ran.err


@pytest.mark.parametrize(
    ("rows_read", "told"),
    [
        ({"total": 20076, "exact": False}, "Estimate: about 20,076 rows,"),
        ({"total": None, "exact": False}, "Estimate: The job,"),
    ],
)
def test_an_estimate_of_a_sample_says_so(cli, gateway, rows, rows_read, told):
    gateway.estimate = {"rows": {"sampled": 9, "invalid": 0, "fatal": 0, **rows_read}}
    assert told in cli("run", rows, *MODEL, *PLACE, "--yes").err


def invalid(count, fatal, listed=1):
    """An estimate with invalid rows."""
    return {
        "rows": {"total": 9, "exact": True, "sampled": 9, "invalid": count, "fatal": fatal},
        "invalidRows": [{"uri": "gs://in/x", "line": n + 2, "reason": "no contents"} for n in range(listed)],
    }


def test_rows_that_would_fail_the_job_are_named_in_the_file_and_not_submitted(cli, gateway, rows):
    gateway.estimate = invalid(3, 1)
    refused = cli("run", rows, *MODEL, *PLACE, "--yes", status=1).err
    assert "would refuse 3 of the 9 rows read:\n" in refused
    assert f"  {rows}, line 2: no contents\n  and 2 more\n" in refused
    assert "Nothing was submitted: 1 row would fail the whole job" in refused
    assert f"Correct or remove these rows in {rows}" in refused
    assert gateway.jobs == {}


def test_rows_that_fail_alone_are_named_and_stop_nothing(cli, gateway, rows):
    gateway.estimate = invalid(1, 0)
    told = cli("run", rows, *MODEL, *PLACE, "--yes").err
    assert f"{rows}, line 2: no contents\nThey fail alone, and are free; the others run.\n" in told
    assert len(gateway.jobs) == 1


def test_rows_that_are_made_are_no_lines_of_the_file(cli, gateway, tmp_path):
    (tmp_path / "a.txt").write_text("one\n")
    gateway.estimate = invalid(1, 1)
    told = cli("run", tmp_path / "a.txt", *MODEL, *PLACE, "--yes", "--prompt", "{line}", status=1).err
    assert "  gs://in/x, line 2: no contents\n" in told


def test_an_upload_goes_on_behind_what_arrived(cli, gateway, rows):
    content = rows.read_bytes()
    broken = []

    def before(seen):
        if seen.method == "PUT" and not broken:
            broken.append(seen)
            gateway.store(seen.target, content[:20])
            # The connection ends without an answer.
            return Answer(body=b"", raw=True)
        return None

    gateway.before = before
    cli("run", rows, *MODEL, *PLACE, "--yes")
    assert input_of(gateway) == content
    spans = [seen.header("Content-Range") for seen in gateway.asked("PUT")]
    size = len(content)
    assert spans == [f"bytes 0-{size - 1}/{size}", f"bytes */{size}", f"bytes 20-{size - 1}/{size}"]


@pytest.mark.parametrize(
    ("answer", "status", "told", "puts"),
    [(Answer(412, b""), 1, "refused the file", 1), (Answer(503, b""), 3, "does not answer", 12)],
)
def test_an_upload_that_fails_submits_nothing(cli, gateway, rows, *, answer, status, told, puts):
    gateway.before = lambda seen: answer if seen.method == "PUT" else None
    assert told in cli("run", rows, *MODEL, *PLACE, "--yes", status=status).err
    assert gateway.jobs == {}
    assert len(gateway.asked("PUT")) == puts


@pytest.mark.parametrize(
    "lost",
    [
        Answer(body=b"", raw=True),
        refusal(503, "UNAVAILABLE", "BOOKS_UNAVAILABLE"),
        refusal(409, "ABORTED", "IDEMPOTENCY_KEY_IN_USE"),
        refusal(499, "CANCELLED", ""),
        refusal(408, "", ""),
    ],
)
def test_a_create_without_an_answer_is_sent_again_and_makes_one_job(cli, gateway, rows, lost):
    tried = []

    def before(seen):
        if seen.target == CREATE and not tried:
            tried.append(seen)
            gateway._answer(seen)
            return lost
        return None

    gateway.before = before
    cli("run", rows, *MODEL, *PLACE, "--yes")
    assert len(gateway.jobs) == 1
    first, second = (
        seen.header("Idempotency-Key") for seen in gateway.asked("POST") if seen.target == CREATE
    )
    assert first == second
    assert first


def test_a_create_that_is_still_under_way_is_waited_for(cli, gateway, rows):
    lost = Answer(body=b"", raw=True)
    under_way = [refusal(409, "ABORTED", "IDEMPOTENCY_KEY_IN_USE")] * 15

    def before(seen):
        if seen.target != CREATE:
            return None
        if not gateway.jobs:
            gateway._answer(seen)
            return lost
        return under_way.pop() if under_way else None

    gateway.before = before
    cli("run", rows, *MODEL, *PLACE, "--yes")
    assert len(gateway.jobs) == 1
    assert not under_way


def test_a_create_that_stays_under_way_is_given_up(cli, gateway, rows):
    answer = refusal(409, "ABORTED", "IDEMPOTENCY_KEY_IN_USE")
    gateway.before = lambda seen: answer if seen.target == CREATE else None
    said = cli("run", rows, *MODEL, *PLACE, "--yes", status=3).err
    assert "not known whether" in said
    assert said.count("Trying again") == 1


def test_a_create_that_never_answers_says_what_is_not_known(cli, gateway, rows):
    gateway.before = lambda seen: Answer(body=b"", raw=True) if seen.target == CREATE else None
    assert "not known whether" in cli("run", rows, *MODEL, *PLACE, "--yes", status=3).err


def test_a_create_that_vertex_ai_gave_up_says_what_is_not_known(cli, gateway, rows):
    gateway.before = lambda seen: refusal(499, "CANCELLED", "") if seen.target == CREATE else None
    assert "not known whether" in cli("run", rows, *MODEL, *PLACE, "--yes", status=3).err


def test_a_create_that_is_refused_for_now_was_not_submitted(cli, gateway, rows):
    answers = [refusal(429, "RESOURCE_EXHAUSTED", "", "Quota exceeded for concurrent jobs.")]
    gateway.before = lambda seen: answers[-1] if seen.target == CREATE else None
    refused = cli("run", rows, *MODEL, *PLACE, "--yes", status=1).err
    assert "Error: Quota exceeded" in refused
    assert "not known whether" not in refused

    lost = [Answer(body=b"", raw=True)]
    gateway.before = lambda seen: None if seen.target != CREATE else (lost or answers).pop()
    answers *= 3
    assert "not known whether" in cli("run", rows, *MODEL, *PLACE, "--yes", status=3).err


def test_ctrl_c_while_a_create_is_sent_says_what_is_not_known(cli, gateway, rows, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway_cli.retrying.time", SimpleNamespace(sleep=interrupt))
    gateway.before = lambda seen: Answer(body=b"", raw=True) if seen.target == CREATE else None
    assert "not known whether" in cli("run", rows, *MODEL, *PLACE, "--yes", status=130).err


def test_a_create_that_is_refused_is_not_sent_again(cli, gateway, rows):
    gateway.before = lambda seen: (
        refusal(429, "RESOURCE_EXHAUSTED", "BUDGET_EXCEEDED") if seen.target == CREATE else None
    )
    refused = cli("run", rows, *MODEL, *PLACE, "--yes", status=1).err
    assert "BUDGET_EXCEEDED" in refused
    assert "not known whether" not in refused
    assert len([seen for seen in gateway.asked("POST") if seen.target == CREATE]) == 1


def test_ctrl_c_leaves_the_job_running_and_says_how_to_come_back(cli, gateway, rows, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    pausing(monkeypatch, interrupt)
    stopped = cli("run", rows, *MODEL, *PLACE, "--yes", status=130)
    assert "vbatch jobs watch 4242" in stopped.err
    back = re.search(r"vbatch (jobs results 4242 --out '.*')", stopped.err)
    assert back
    assert submitted(gateway)["state"] == "JOB_STATE_RUNNING"
    assert not gateway.asked("POST", ":cancel")


def test_a_gateway_that_is_gone_leaves_the_job_running_and_says_so_too(cli, gateway, rows):
    gateway.before = lambda seen: (
        None if not seen.target.endswith("/cost") else refusal(503, "UNAVAILABLE", "X", "Down.")
    )
    gone = cli("run", rows, *MODEL, *PLACE, "--yes", status=1)
    assert "The job 4242 was submitted, and goes on." in gone.err
    assert "vbatch jobs results 4242 --out 'my rows-results.jsonl'" in gone.err
    assert "Error: Down." in gone.err


def test_failed_rows_are_named_and_resumed(cli, rows, tmp_path):
    rows.write_text('{"key": "a", "request": "fine"}\n{"key": "b", "request": "bad"}\n')
    ran = cli("run", rows, *MODEL, *PLACE, "--yes")
    assert "vbatch jobs failures 4242" in ran.err
    assert "vbatch run --resume 4242" in ran.err
    assert "2 b failed INVALID_ARGUMENT: bad words" in cli("jobs", "failures", "4242").text
    assert [row["key"] for row in cli("jobs", "failures", "4242", "-o", "csv").csv] == ["b"]

    cli("run", "--resume", "4242", "--yes")
    (line,) = (tmp_path / "4242-resumed-results.jsonl").read_text().splitlines()
    assert json.loads(line)["key"] == "b"
    assert "Nothing is left" in cli("jobs", "resume", "4243", status=1).err
    assert "JOB_ALREADY_RESUMED" in cli("jobs", "resume", "4242", status=1).err
    assert "No row failed" in cli("jobs", "failures", "4243").err


def test_rows_that_were_not_run_are_called_so(cli, gateway, rows):
    cli("run", rows, *MODEL, *PLACE, "--yes")
    listed = [
        {"row": 2, "key": "a", "state": "failed", "reason": "CANCELLED"},
        {"row": 5, "key": "b", "state": "failed", "reason": "INTERNAL"},
        {"row": 6, "key": "c", "state": "blocked", "reason": "SAFETY"},
        {"row": 7, "key": None, "state": "malformed", "reason": None},
        {"row": 8, "key": "e", "state": "unrecognized", "reason": None},
    ]
    lines = "".join(f"{json.dumps(row)}\n" for row in listed).encode()
    gateway.before = lambda seen: Answer(200, lines) if "/results" in seen.target else None
    shown = cli("jobs", "failures", "4242", "-o", "csv")
    assert [tuple(row.values()) for row in shown.csv] == [
        ("2", "a", "not run", "the job ended before"),
        ("5", "b", "failed", "INTERNAL"),
        ("6", "c", "blocked", "SAFETY"),
        ("7", "", "malformed", ""),
        ("8", "e", "unrecognized", ""),
    ]
    asked = gateway.asked("GET", "/results")[-1].target
    assert all(f"state={row['state']}" in asked for row in listed)
    assert list(shown.csv[0]) == ["row", "key", "state", "reason"]
    assert "`vbatch run --resume 4242` runs them" in shown.err
    del listed[0]
    lines = "".join(f"{json.dumps(row)}\n" for row in listed).encode()
    assert "--resume" not in cli("jobs", "failures", "4242").err


@pytest.mark.parametrize(
    ("command", "printed"), [(("jobs", "resume", "4242"), 1), (("run", "--resume", "4242", "--yes"), 2)]
)
def test_a_resume_without_an_answer_is_sent_again_and_makes_one_job(cli, gateway, rows, command, printed):
    rows.write_text('{"key": "b", "request": "bad"}\n')
    cli("run", rows, *MODEL, *PLACE, "--yes")
    lost = []

    def before(seen):
        if seen.target.endswith(":resume") and not lost:
            lost.append(seen)
            gateway._answer(seen)
            return Answer(body=b"", raw=True)
        return None

    gateway.before = before
    assert "it is submitted only once" in cli(*command).err
    assert list(gateway.jobs) == ["4242", "4243"]
    assert len(gateway.asked("POST", ":resume")) == 1 + printed
    assert lost[0].header("Idempotency-Key")


def test_a_resume_is_estimated_and_asks(cli, gateway, rows):
    rows.write_text('{"key": "a", "request": "fine"}\n{"key": "b", "request": "bad"}\n')
    cli("run", rows, *MODEL, *PLACE, "--yes")
    resume = ("run", "--resume", "4242")
    assert "--yes" in cli(*resume, status=2).err
    assert "--max-cost is 0.0002" in cli(*resume, "--yes", "--max-cost", "0.0002", status=1).err
    cli.answer("n\n")
    assert "1 row, gemini-3.5-flash: expected 0.0002 USD" in cli(*resume, status=1).err
    assert len(gateway.jobs) == 1
    # The rows of a job that has run can no longer be corrected.
    gateway.estimate = invalid(1, 1)
    assert "gs://in/x, line 2: no contents" in cli(*resume, "--yes", "--max-cost", "0.0003").err
    assert len(gateway.jobs) == 2


def test_a_job_that_failed_says_why_and_leaves_no_file(cli, gateway, rows, tmp_path):
    gateway.before = lambda seen: fail(gateway) if seen.target.endswith("/cost") else None
    failed = cli("run", rows, *MODEL, *PLACE, "--yes", status=1)
    assert failed.pairs["reason"] == "The agent may not read it."
    assert failed.pairs["results"] == "-"
    assert not list(tmp_path.glob("*results*"))
    # Both would be refused.
    assert "jobs failures" not in failed.err
    assert "--resume" not in failed.err
    assert "run it again" in failed.err


def fail(gateway):
    submitted(gateway).update(state="JOB_STATE_FAILED", error={"message": "The agent may not read it."})


def test_results_that_break_off_leave_no_file(cli, gateway, rows, tmp_path):
    whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    gateway.before = lambda seen: Answer(body=whole, raw=True) if "/results" in seen.target else None
    broken = cli("run", rows, *MODEL, *PLACE, "--yes", status=3).err
    assert "broke off" in broken
    assert "vbatch jobs results 4242 --out 'my rows-results.jsonl'" in broken
    assert not list(tmp_path.glob("*results*"))
    assert not list(tmp_path.glob(".*"))


def test_a_download_is_tried_again(cli, gateway, rows, tmp_path):
    answers = [refusal(429, "RESOURCE_EXHAUSTED", "TOO_MANY_DOWNLOADS"), Answer(body=b"", raw=True)]
    gateway.before = lambda seen: answers.pop() if "/results" in seen.target and answers else None
    cli("run", rows, *MODEL, *PLACE, "--yes")
    assert not answers
    assert len((tmp_path / "my rows-results.jsonl").read_text().splitlines()) == 3


def test_a_pipe_gets_the_results_and_is_not_replaced_by_a_file(cli, rows, tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()

    cli("run", rows, *MODEL, *PLACE, "--yes", "--out", pipe)

    assert pipe.is_fifo()
    reader.join(PATIENCE)
    assert len(got[0].splitlines()) == 3


def test_a_link_stays_a_link(cli, rows, tmp_path):
    (tmp_path / "there").touch()
    (tmp_path / "link").symlink_to("there")

    cli("run", rows, *MODEL, *PLACE, "--yes", "--out", tmp_path / "link")

    assert (tmp_path / "link").is_symlink()
    assert len((tmp_path / "there").read_text().splitlines()) == 3


def test_results_by_view_state_and_limit(cli, gateway, rows, tmp_path):
    cli("run", rows, *MODEL, *PLACE, "--yes")
    out = tmp_path / "rows"
    cli(
        "jobs",
        "results",
        "4242",
        "--view",
        "usage",
        "--state",
        "succeeded",
        "--state",
        "failed",
        "--limit",
        2,
    )
    assert gateway.asked("GET", "/results")[-1].target.endswith(
        "/results?view=usage&state=succeeded&state=failed&limit=2"
    )
    cli("jobs", "results", "4242", "--out", out)
    assert len(out.read_text().splitlines()) == 3
    assert "--view usage" in cli("jobs", "results", "4242", "--format", "csv", status=2).err
    assert "invalid choice" in cli("jobs", "results", "4242", "--state", "runing", status=2).err
    for state in STATES:
        cli("jobs", "results", "4242", "--view", "usage", "--state", state)


def test_a_job_is_submitted_from_its_json(cli, gateway, tmp_path):
    gateway.objects["gs://in/x"] = b"{}\n"
    body = b'{"model":  "m", "inputConfig": {"gcsSource": {"uris": ["gs://in/x"]}}, "displayName": "by hand"}'
    (tmp_path / "job.json").write_bytes(body)
    told = cli("jobs", "submit", tmp_path / "job.json", *PLACE)
    assert gateway.asked("POST")[-1].body == body
    assert "by hand" in told.out
    assert "vbatch jobs watch 4242" in told.err


def test_the_place_of_a_job_may_come_from_the_environment(cli, gateway, rows):
    cli.env(GOOGLE_CLOUD_PROJECT="acme", GOOGLE_CLOUD_LOCATION="global")
    cli("run", rows, *MODEL, "--yes")
    assert len(gateway.jobs) == 1


def test_several_places_and_none_given(cli, gateway, rows):
    gateway.before = lambda seen: (
        refusal(400, "INVALID_ARGUMENT", "PLACE_MISSING")
        if seen.target == "/v1/batchPredictionJobs:estimateCost"
        else None
    )
    told = cli("run", rows, *MODEL, "--yes", status=2).err
    assert "--project" in told
    assert "vbatch login" in told
