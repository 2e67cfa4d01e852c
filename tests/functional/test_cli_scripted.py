"""The command line against a server that answers as it is told.

It is told what the gateway's contract says of spend and estimates, which the gateway in memory of test_cli.py
did not serve when this was written; and what no gateway does on demand: to break off, to be away, to be none.
"""

import json
import os
import pty
import select
import socket
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest

from batch_gateway.core.jobs import late_output
from command_line import COMMAND
from functional.gateway.conftest import json_answer
from functional.gateway.loopback import Answer, Loopback, closed_port
from functional.test_cli import Cli, pausing, shell
from patience import PATIENCE
from thorough import taking_turns

FIRST = 1_793_491_200
"""2026-11-01T00:00:00Z."""
DAY = 86_400
JOB = "projects/1234/locations/us-central1/batchPredictionJobs/42"


@pytest.fixture
def server():
    with Loopback() as running:
        yield running


@pytest.fixture
def cli(server, monkeypatch, capsys, tmp_path):
    made = Cli(server.url, monkeypatch, capsys, tmp_path)
    made.env(TZ="UTC")
    time.tzset()
    yield made
    monkeypatch.undo()
    time.tzset()


def query(seen):
    return parse_qs(urlsplit(seen.target).query)


def result(amount, *, unpriced=False, labels=None, **fields):
    return {
        "object": "organization.costs.result",
        "amount": {"value": amount, "currency": "usd"},
        "unpriced": unpriced,
        **dict.fromkeys(("model", "team", "api_key", "project", "location", "job")),
        "labels": labels,
        **fields,
    }


def bucket(number, *results):
    start = FIRST + number * DAY
    return {"object": "bucket", "start_time": start, "end_time": start + DAY, "results": list(results)}


def costs(*buckets, next_page=None):
    answer = {"object": "page", "data": list(buckets), "has_more": bool(next_page), "next_page": next_page}
    return json_answer(answer)


def cost(state="RUNNING", status="PENDING", done=0, amount="0", **changes):
    return {
        "name": JOB,
        "state": f"JOB_STATE_{state}",
        "status": status,
        "currency": "USD",
        "amount": amount,
        "complete": True,
        "model": "gemini-2.5-flash",
        "projected": None,
        "estimate": None,
        "progress": {"completed": done, "total": 10},
        **changes,
    }


def test_spend_over_time(cli, server):
    server.answers = [
        costs(bucket(0, result("0.06")), bucket(1), next_page="p2"),
        costs(bucket(2, result("1234.000000001", unpriced=True))),
    ]
    shown = cli("spend", "--since", "2026-11-01", "--until", "2026-11-04")

    assert [line.split() for line in shown.out.splitlines()] == [
        ["day", "(UTC)", "amount,", "USD", "share"],
        ["2026-11-01", "0.060000000", "█░░░░░░░░░", "<0.1", "%"],
        ["2026-11-03", "≥1,234.000000001", "█████████░", "99.9", "%"],
        ["total", "≥1,234.060000001"],
    ]
    assert "Left out: 1 of 3" in shown.err
    first, second = map(query, server.seen)
    assert first["start_time"] == ["2026-11-01T00:00:00Z"]
    assert first["end_time"] == ["2026-11-04T00:00:00Z"]
    assert (first["bucket_width"], first["time_zone"], first["limit"]) == (["1d"], ["+00:00"], ["366"])
    assert "page" not in first
    assert second == {**first, "page": ["p2"]}


def test_spend_by_fields_and_labels(cli, server):
    server.answers = [
        costs(
            bucket(
                0,
                result("2", model="gemini-2.5-flash", labels={"env": "prod"}),
                result("0.5", model="gemini-2.5-pro", labels={"env": None}),
            )
        )
    ]
    shown = cli(
        "spend", "--by", "model,label:env", "--team", "a", "--team", "b", "--key", "k", "--label", "x=y=z"
    )
    assert "gemini-2.5-flash prod 2.00" in shown.text
    assert "gemini-2.5-pro - 0.50" in shown.text
    asked = query(server.seen[0])
    assert asked["group_by"] == ["model,label:env"]
    assert (asked["team"], asked["api_key"], asked["label:x"]) == (["a", "b"], ["k"], ["y=z"])


def test_spend_in_all_is_exact(cli, server):
    server.answers = [
        costs(
            bucket(0, result("0.1", team="a"), result("7", team="b")),
            bucket(1, result("0.2", team="a", unpriced=True)),
            bucket(2, result("123456789012345678901234567890.000000001", team="a")),
        )
    ]
    rows = cli("spend", "--by", "team", "--bucket", "all", "-o", "json").json
    assert rows == [
        {
            "team": "a",
            "amount": "123456789012345678901234567890.300000001",
            "currency": "USD",
            "unpriced": True,
        },
        {"team": "b", "amount": "7", "currency": "USD", "unpriced": False},
    ]


def test_spend_as_csv_has_times_and_no_total(cli, server):
    server.answers = [
        costs(bucket(0, result("0.06", api_key="k")), bucket(1, result("0.0000001", api_key=None)))
    ]
    assert cli("spend", "--by", "key", "-o", "csv").out.splitlines() == [
        "start_time,end_time,api_key,amount,currency,unpriced",
        "2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,k,0.06,USD,false",
        "2026-11-02T00:00:00Z,2026-11-03T00:00:00Z,,0.0000001,USD,false",
    ]


def test_days_begin_where_the_user_is_unless_told_otherwise(cli, server):
    cli.env(TZ="Asia/Kolkata")
    time.tzset()
    server.answers = [costs(bucket(0, result("1")))]
    shown = cli("spend", "--since", "2026-11-01")
    asked = query(server.seen[-1])
    assert (asked["time_zone"], asked["start_time"]) == (["+05:30"], ["2026-10-31T18:30:00Z"])
    assert "UTC+05:30" in shown.out
    cli("spend", "--since", "2026-11-01", "--utc")
    asked = query(server.seen[-1])
    assert (asked["time_zone"], asked["start_time"]) == (["+00:00"], ["2026-11-01T00:00:00Z"])


@pytest.mark.parametrize(
    "arguments",
    [("--by", "colour"), ("--by", "label:"), ("--bucket", "week"), ("--since", "soon"), ("--label", "x")],
)
def test_spend_that_cannot_be_asked_for(cli, server, arguments):
    cli("spend", *arguments, status=2)
    assert not server.seen


def test_a_span_that_ends_before_it_begins(cli):
    assert "is not later" in cli("spend", "--since", "1d", "--until", "2d", status=2).err


def test_amounts_that_are_none_stop_the_sum(cli, server):
    server.answers = [costs(bucket(0, result("NaN")))]
    assert "invalid amount" in cli("spend", status=1).err


@pytest.mark.usefixtures("cli")
def test_export_is_passed_on_to_the_byte(server):
    content = "start_time,amount\r\nÄ,1\r\n".encode()
    server.answers = [Answer(200, content, "text/csv")]
    # Bytes do not go through the captured text stream.
    ran = shell(*COMMAND, "export", "csv", "--by", "job,label:env", "--since", "2026-11-01", "--team", "a")
    assert ran.stdout == content
    asked = query(server.seen[0])
    assert (asked["format"], asked["group_by"], asked["team"]) == (["csv"], ["job,label:env"], ["a"])
    assert asked["time_zone"] == ["+00:00"]


def test_focus_is_asked_for_in_utc_without_a_zone(cli, server, tmp_path):
    cli.env(TZ="Asia/Kolkata")
    time.tzset()
    server.answers = [Answer(200, b"BilledCost\r\n", "text/csv")]
    file = tmp_path / "focus.csv"
    assert "12 bytes" in cli("export", "focus", "--since", "2026-11-01", "--file", file).err
    assert file.read_bytes() == b"BilledCost\r\n"
    asked = query(server.seen[0])
    assert "time_zone" not in asked
    assert asked["start_time"] == ["2026-11-01T00:00:00Z"]


def test_a_file_that_breaks_off_is_not_left_behind(cli, tmp_path):
    file = tmp_path / "costs.csv"
    file.write_text("the last one")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")

        threading.Thread(target=answer, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert "broke off" in cli("export", "csv", "--file", file, "--url", url, status=3).err
    assert file.read_text() == "the last one"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written(cli, tmp_path):
    assert "cannot be written" in cli("export", "csv", "--file", tmp_path / "no" / "f.csv", status=2).err


ESTIMATE = {
    "currency": "USD",
    "low": "0.001",
    "expected": "0.002",
    "high": "0.004000001",
    "model": "gemini-2.5-flash",
    "rows": {"total": 10, "exact": True, "sampled": 10, "invalid": 2, "fatal": 1},
    "inputTokens": {"low": 900, "expected": 1000, "high": 1200},
    "outputTokens": {"low": None, "expected": None, "high": None},
    "assumptions": ["Output: 100 tokens a row, by default."],
    "warnings": ["The model retires soon."],
    "invalidRows": [
        {"uri": "gs://in/rows.jsonl", "line": 3, "reason": "no contents"},
        {"uri": "gs://in/rows.jsonl", "line": None, "reason": "no JSON"},
    ],
    "priceTable": "2026-11-22",
    "expectedTime": {
        "queueSeconds": {"p50": 183.0, "p90": 1471.0},
        "runSeconds": {"p50": 863.0, "p90": 3967.0},
        "jobs": 44,
        "days": 7,
    },
}


def test_an_estimate(cli, server, tmp_path):
    server.answers = [json_answer(ESTIMATE)]
    body = tmp_path / "job.json"
    body.write_bytes(b'{"model":  "m"}')
    shown = cli("estimate", body, "--project", "acme", "--location", "us-central1")
    (seen,) = server.seen
    assert seen.target == "/v1/projects/acme/locations/us-central1/batchPredictionJobs:estimateCost"
    assert seen.body == b'{"model":  "m"}'
    assert "high 0.004000001 1,200 -" in shown.text
    assert "- Output: 100 tokens a row" in shown.out
    assert (
        "Time, from 44 earlier jobs with this model in this location in 7 days: half waited 3 min 03 s or "
        "less, and nine in ten 24 min 31 s or less; half ran, whatever their size, 14 min 23 s or less, and "
        "nine in ten 1 h 06 min or less."
    ) in shown.text
    assert "Warning: The model retires soon." in shown.err
    assert "gs://in/rows.jsonl, line 3: no contents" in shown.err
    assert "unknown line: no JSON" in shown.err
    assert cli("estimate", body, "-o", "json").json == ESTIMATE
    assert [row["amount"] for row in cli("estimate", body, "-o", "csv").csv] == [
        "0.001",
        "0.002",
        "0.004000001",
    ]
    assert server.seen[-1].target == "/v1/batchPredictionJobs:estimateCost"


@pytest.mark.parametrize(
    ("queue", "run", "told"),
    [
        ((5.0, 9.0), (None, None), "from 1 earlier job with"),
        ((5.0, 9.0), (None, None), "in 30 days: half waited 5 s or less, and nine in ten 9 s or less."),
        ((None, None), (None, None), "Time: unknown, because no earlier job"),
    ],
)
def test_an_estimate_says_what_is_known_of_the_time(cli, server, queue, run, told):
    spans = [{"p50": each[0], "p90": each[1]} for each in (queue, run)]
    times = {"queueSeconds": spans[0], "runSeconds": spans[1], "jobs": 1, "days": 30}
    server.answers = [json_answer({**ESTIMATE, "expectedTime": times})]
    assert told in cli("estimate", "/dev/null").text


def test_a_strict_estimate_fails_for_rows_that_would_fail_the_job(cli, server):
    server.answers = [json_answer(ESTIMATE)]
    cli("estimate", "/dev/null", "--strict", status=1)
    server.answers = [json_answer({**ESTIMATE, "rows": {**ESTIMATE["rows"], "fatal": 0}})]
    assert "They fail alone" in cli("estimate", "/dev/null", "--strict").err


def test_an_estimate_that_needs_a_place(cli, server, tmp_path):
    server.answers = [error(400, "INVALID_ARGUMENT", "PLACE_MISSING")]
    assert "--project" in cli("estimate", "/dev/null", status=2).err
    assert "together" in cli("estimate", "/dev/null", "--project", "p", status=2).err
    assert "cannot be read" in cli("estimate", tmp_path / "none", status=2).err


def error(code, status, reason, message="No.", headers=(), **metadata):
    info = {"reason": reason, "domain": "batch-gateway", "metadata": metadata}
    body = {"error": {"code": code, "message": message, "status": status, "details": [info]}}
    return json_answer(body, code, headers=headers)


def test_errors_read_well(cli, server):
    server.answers = [
        error(429, "RESOURCE_EXHAUSTED", "BUDGET_EXCEEDED", "Over.", (("Retry-After", "60"),), spent="1.5")
    ]
    assert cli("jobs", "list", status=1).err.splitlines() == [
        "Error: Over.",
        "  RESOURCE_EXHAUSTED, reason BUDGET_EXCEEDED",
        "  spent: 1.5",
        "  Try again in 60 s.",
    ]


def test_an_error_cannot_steer_the_terminal(cli, server):
    server.answers = [error(400, "X", "Y", "\x1b[2Jgone\nline")]
    refused = cli("jobs", "list", status=1).err
    assert "\x1b" not in refused
    assert "gone" in refused


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>Sign in</html>", "text/html"),
        Answer(404, b"<html>Not found</html>", "text/html"),
        Answer(302, b"", "text/html", (("Location", "https://accounts.example/login"),)),
        Answer(200, b"[" * 100_000),
        Answer(500, b'{"error": "text"}'),
    ],
)
def test_another_server_is_told_from_a_gateway(cli, server, answer):
    server.answers = [answer]
    assert "Is it the gateway's URL?" in cli("teams", "list", status=1).err
    assert len(server.seen) == 1


def test_a_gateway_that_is_not_there_is_3(cli):
    refused = cli("teams", "list", "--url", f"http://127.0.0.1:{closed_port()}", status=3)
    assert "connection refused" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize("url", ["127.0.0.1", "ftp://x", "https://", "http://user:word@x"])
def test_what_is_no_url(cli, url):
    assert "not the URL of a gateway" in cli("teams", "list", "--url", url, status=2).err


def test_no_url(cli):
    cli.env(GATEWAY_URL=None)
    assert "GATEWAY_URL" in cli("teams", "list", status=2).err


def test_a_key_that_is_none_is_not_sent(cli, server, tmp_path):
    for content in ("", "two words\n", "sk-\u00fc", "a\nb"):
        file = tmp_path / "key"
        file.write_text(content)
        cli("teams", "list", "--key-file", file, status=2)
    cli("teams", "list", "--key-file", tmp_path / "none", status=2)
    assert not server.seen


@pytest.mark.parametrize("suffix", ["/", "/vertex_ai", "/vertex-ai/"])
def test_the_url_of_googles_clients_does_as_well(cli, server, suffix):
    server.answers = [json_answer([])]
    cli("teams", "list", "--url", server.url + suffix)
    assert server.seen[0].target == "/team/list?page=1&size=100"


def test_the_key_goes_in_a_header_only(cli, server):
    server.answers = [json_answer([])]
    cli("teams", "list")
    assert server.seen[0].header("Authorization") == f"Bearer {os.environ['GATEWAY_KEY']}"
    assert os.environ["GATEWAY_KEY"] not in server.seen[0].target


def test_plain_http_across_a_network_is_warned_of(cli):
    refused = cli("teams", "list", "--url", "http://gateway.invalid", status=3)
    assert "anybody on the way can read the key" in refused.err


def repriced(name, before, after, *, lacks=()):
    """A repriced job, and which of its amounts lack a price."""
    unpriced = {each: each in lacks for each in ("unpriced_before", "unpriced")}
    return {"name": name, "amount_before": before, "price_table_before": "old", "amount": after, **unpriced}


def test_a_price_that_is_lost_by_repricing_is_not_shown_as_nothing(cli, server):
    jobs = [repriced("j/1", "2", "0", lacks=["unpriced"]), repriced("j/2", "2", "2.1")]
    page = {"price_table": "new", "examined": 2, "repriced": jobs, "next_page": None}
    server.answers = [json_answer(page)] * 2
    done = cli("reprice", "--from", "30d", "--to", "now", "--dry-run")
    assert "1 2.00 old ≥0.00 -" in done.text
    assert "2 2.00 old 2.10 0.10" in done.text
    assert "total 4.00 ≥2.10 -" in done.text
    assert "from 4.00 to at least 2.10 USD" in done.err
    first, second = cli("reprice", "--from", "30d", "--to", "now", "--dry-run", "-o", "csv").csv
    assert (first["amount"], first["unpriced"], first["difference"]) == ("0", "true", "")
    assert (second["unpriced_before"], second["unpriced"]) == ("false", "false")


def test_repricing_that_stops_halfway_shows_what_was_done(cli, server):
    done = repriced(JOB, "2", "1.5")
    server.answers = [
        json_answer({"price_table": "new", "examined": 200, "repriced": [done], "next_page": "p2"}),
        error(503, "UNAVAILABLE", "BOOKS_UNAVAILABLE"),
    ]
    stopped = cli("reprice", "--from", "2026-11-01", "--to", "2026-12-01", "--model", "m", "--yes", status=1)
    assert "42 2.00 old 1.50 -0.50" in stopped.text
    first, second = (json.loads(seen.body) for seen in server.seen)
    assert first == {"start_time": "2026-11-01T00:00:00Z", "end_time": "2026-12-01T00:00:00Z", "model": "m"}
    assert second == {**first, "page": "p2"}


def test_repricing_all_pages(cli, server):
    def page(number, next_page):
        done = repriced(f"j/{number}", "2", "2.1")
        return json_answer(
            {"price_table": "new", "examined": 200, "repriced": [done], "next_page": next_page}
        )

    server.answers = [page(1, "p2"), page(2, "p3"), page(3, None)]
    done = cli("reprice", "--from", "30d", "--to", "now", "--yes")
    assert "total 6.00 6.30 0.30" in done.text
    assert "600 jobs examined with price table new; 3 changed, from 6.00 to 6.30 USD" in done.err


def test_watching_survives_a_gateway_that_is_away_for_a_moment(cli, server, monkeypatch):
    pauses = []
    pausing(monkeypatch, pauses.append)
    server.answers = [
        json_answer(cost(done=3)),
        json_answer({"displayName": "nightly"}),
        error(503, "UNAVAILABLE", "BOOKS_UNAVAILABLE", headers=(("Retry-After", "7"),)),
        json_answer(cost("SUCCEEDED", "FINAL", 10, "0.5")),
    ]
    watched = cli("jobs", "watch", JOB, "--interval", 9)
    assert pauses == [9.0, 7]
    assert "Trying again" in watched.err
    assert "succeeded" in watched.out


def report(state, status, **changes):
    """A cost in full, for ``jobs cost``."""
    counts = dict.fromkeys(("succeeded", "failed"), 0)
    lists = {"lineItems": [], "outputs": [], "rows": counts, "usage": {"inputTokens": 0}}
    return cost(state, status, waste={"amount": "0", "reasons": []}, **lists, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"status": "PENDING"}, ("-", "no: no output is settled yet", "-", "-")),
        (
            {"status": "PENDING", "projected": "0.0123", "complete": False},
            ("-", "no: no output is settled yet", "0.0123", "-"),
        ),
        (
            {"status": "PARTIAL", "amount": "0.5", "complete": False, "projected": "2"},
            ("≥0.50", "no: more may come, or some rows", "2.00", "0.00"),
        ),
        ({"status": "PARTIAL", "amount": "0.5", "complete": False}, ("≥0.50", "no: more may", "-", "0.00")),
        ({"status": "FINAL", "amount": "0.5", "complete": False}, ("≥0.50", "no: some rows", "-", "0.00")),
        ({"status": "FINAL", "amount": "0"}, ("0.00", "yes", "-", "0.00")),
    ],
)
def test_a_cost_says_what_is_known_of_it(cli, server, changes, told):
    server.answers = [json_answer(report("RUNNING", **changes))]
    shown = cli("jobs", "cost", JOB).pairs
    found = tuple(shown[name] for name in ("cost, USD", "complete", "projected, USD", "wasted, USD"))
    assert (found[0], *found[2:]) == (told[0], *told[2:])
    assert found[1].startswith(told[1])


def test_a_part_of_an_estimate_that_is_unknown_is_no_none(cli, server):
    levels = {"low": "0.1", "expected": "0.25", "high": None}
    server.answers = [json_answer(report("RUNNING", "PENDING", estimate=levels))]
    assert "0.1 to ? USD, expected 0.25" in cli("jobs", "cost", JOB).out


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize("projected", [None, "0.0123"])
def test_a_terminal_shows_no_cost_of_what_runs_either(server, projected):
    server.answers = [
        json_answer(cost(done=3, projected=projected)),
        json_answer(cost("SUCCEEDED", "FINAL", 10, "0.5")),
    ]
    seen = in_a_terminal("jobs", "watch", JOB, "--interval", "1", NO_COLOR="1")
    before, _, _ = seen.partition("10/10")
    assert "0.00" not in before.replace("0.0123", "")
    assert (projected or "-") in before.partition("3/10")[2].split()


def test_watching_gives_up_at_last(cli, server, monkeypatch):
    pausing(monkeypatch, lambda _: None)
    server.answers = [error(503, "UNAVAILABLE", "BOOKS_UNAVAILABLE")]
    cli("jobs", "watch", JOB, status=1)
    assert len(server.seen) == 5
    server.answers = [error(404, "NOT_FOUND", "JOB_NOT_ON_RECORD")]
    server.seen.clear()
    cli("jobs", "watch", JOB, status=1)
    assert len(server.seen) == 1


def test_a_cost_that_does_not_become_final_is_not_waited_for_forever(cli, server, monkeypatch):
    pausing(monkeypatch, lambda _: None)
    server.answers = [json_answer(cost("SUCCEEDED", "PARTIAL", 10, "0.5"))]
    told = cli("jobs", "watch", JOB).err
    assert "are not final two minutes" in told
    assert "The next sweep" in told
    assert "24 hours" not in told


def test_a_cost_that_is_final_only_a_day_after_a_cancel_is_not_promised_earlier(cli, server, monkeypatch):
    pausing(monkeypatch, lambda _: None)
    server.answers = [json_answer(cost("CANCELLED", "PARTIAL", 4, "0.2"))]
    told = cli("jobs", "watch", JOB, status=1).err
    assert f"up to {late_output.WATCH // timedelta(hours=1)} hours after its end" in told
    assert "The next sweep" not in told


def in_a_terminal(*arguments, **env):
    """Return what a terminal gets to see, to the byte."""
    primary, secondary = pty.openpty()
    command = subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *arguments],
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **env},
    )
    os.close(secondary)
    seen = b""
    while select.select([primary], [], [], PATIENCE)[0]:
        try:
            part = os.read(primary, 65536)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(primary)
    assert command.wait(timeout=PATIENCE) == 0
    return seen.decode()


@pytest.mark.usefixtures("cli")
def test_a_terminal_gets_colours_and_moving_bars(server):
    server.answers = [json_answer(cost(done=3)), json_answer(cost("SUCCEEDED", "FINAL", 10, "0.5"))]
    seen = in_a_terminal("jobs", "watch", JOB, "--interval", "1")
    assert "\x1b[32m" in seen
    assert "███░░░░░░░ 3/10" in seen
    assert "██████████ 10/10" in seen


def listed(**changes):
    """A job of the gateway's list."""
    rows = dict.fromkeys(("succeeded", "failed", "malformed", "unrecognized", "unpriced", "carriedOver"), 0)
    times = {"createTime": "2026-11-22T16:00:00.123456Z", "startTime": None, "endTime": None}
    names = {
        "id": "4242424242424242424",
        "displayName": "nightly-run-of-the-search-index",
        "apiKey": "nightly",
    }
    place = {"project": "acme", "location": "us-central1", "team": "search", "labels": {}}
    return {**cost(done=3), "rows": rows, **times, **names, **place, "wasted": "0", "error": None, **changes}


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize(("width", "left_out"), [(80, "api key"), (100, "api key"), (200, None)])
def test_a_narrow_terminal_loses_columns_rather_than_their_sense(server, width, left_out):
    server.answers = [json_answer({"object": "list", "data": [listed()], "next_page": None})]
    seen = in_a_terminal("jobs", "list", COLUMNS=str(width), NO_COLOR="1")
    table, _, note = seen.partition("Too narrow for: ")
    assert "4242424242424242424" in table
    assert "███░░░░░░░ 3/10" in table
    assert max(map(len, table.splitlines())) <= width
    assert left_out in note if left_out else not note


LONG = "1234567.123456789"
KEY_RECORD = {
    **dict.fromkeys(("soft_budget", "rpm_limit", "expires", "created_at")),
    "key_alias": "a-long-alias-of-a-key-of-the-search-team",
    "team_id": "search",
    "blocked": False,
    "max_budget": LONG,
    "spend": LONG,
    "budget_duration": "1mo",
    "key_name": "sk-...abcd",
    "token": "t",
}
ITEM = {
    "item": "input_text",
    "model": "gemini-3.1-flash-image-preview",
    "quantity": 12345678,
    "unit": "token",
    "unitPrice": "0.000000075",
    "amount": LONG,
}
WINDOWS = ("0-200k", "200k-1m")
SHOWN = "1,234,567.123456789"


WIDE = {
    "job": (
        ("spend", "--by", "job", "--bucket", "all"),
        [
            costs(bucket(0, result(LONG, job=JOB))),
            json_answer({"data": [{"name": JOB, "displayName": "nightly"}], "next_page": None}),
        ],
        ("42", "nightly", SHOWN),
    ),
    "groups": (
        ("spend", "--by", "job,model,team,label:environment"),
        [
            costs(bucket(0, result(LONG, job=JOB, model="gemini-3.1-flash-image-preview"))),
            json_answer({"data": [], "next_page": None}),
        ],
        ("42", SHOWN),
    ),
    "keys": (
        ("keys", "list"),
        [json_answer({"keys": [KEY_RECORD], "total_pages": 1})],
        (SHOWN, "active"),
    ),
    "cost": (
        ("jobs", "cost", JOB),
        [
            json_answer(
                {
                    **report("RUNNING", "PENDING"),
                    "lineItems": [{**ITEM, "contextWindow": each} for each in WINDOWS],
                }
            ),
            json_answer({}),
        ],
        (*WINDOWS, SHOWN, "12,345,678", "0.000000075"),
    ),
    "list": (
        ("jobs", "list"),
        [json_answer({"data": [listed(status="FINAL", amount=LONG)], "next_page": None})],
        ("4242424242424242424", SHOWN),
    ),
}
"""Commands whose tables are wide, with the answers that they get and what has to stay whole."""


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize(("name", "width"), taking_turns(WIDE, [40, 60, 80, 100, 200], each=2))
def test_ids_and_amounts_are_whole_however_narrow_the_terminal(server, name, width):
    command, answers, whole = WIDE[name]
    server.answers = list(answers)
    seen = in_a_terminal(*command, COLUMNS=str(width), NO_COLOR="1")
    for each in whole:
        assert each in seen
    assert max(map(len, seen.partition("Too narrow")[0].splitlines())) <= width


WHY = {"code": 7, "message": "The agent may not read gs://in/x."}


def test_a_job_that_failed_says_why_everywhere(cli, server, monkeypatch):
    pausing(monkeypatch, lambda _: None)
    failed = report("FAILED", "FINAL")
    server.respond = lambda seen: json_answer(
        {"data": [listed(state="JOB_STATE_FAILED", error=WHY)], "next_page": None}
        if seen.target.startswith("/v1/jobs")
        else failed
        if seen.target.endswith("/cost")
        else {"displayName": "nightly", "error": WHY}
    )
    assert WHY["message"] in cli("jobs", "list").out
    assert cli("jobs", "list", "-o", "csv").csv[0]["reason"] == WHY["message"]
    assert cli("jobs", "cost", JOB).pairs["reason"] == WHY["message"]
    watched = cli("jobs", "watch", JOB, status=1)
    assert WHY["message"] in watched.out
    assert "nightly" in watched.out
    assert "nightly" in watched.err


@pytest.mark.usefixtures("cli")
def test_a_terminal_shows_how_long_it_takes(server):
    looks = []

    def respond(seen):
        if not seen.target.endswith("/cost"):
            began = datetime.now(UTC) - timedelta(hours=1)
            return json_answer({"displayName": "nightly", "startTime": began.isoformat()})
        looks.append(seen)
        return json_answer(cost(done=5) if len(looks) == 1 else cost("SUCCEEDED", "FINAL", 10, "0.5"))

    server.respond = respond
    seen = in_a_terminal("jobs", "watch", JOB, "--interval", "1", NO_COLOR="1", COLUMNS="160")
    before, _, _ = seen.partition("10/10")
    assert "nightly" in before
    assert before.count("1 h 00 min") == 2


@pytest.mark.usefixtures("cli")
@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_terminal_shows_cost_and_projection_however_narrow_it_is(server, width):
    name = "projects/1234/locations/us-central1/batchPredictionJobs/4242424242424242424"
    looks = []

    def respond(seen):
        if not seen.target.endswith("/cost"):
            began = datetime.now(UTC) - timedelta(hours=1)
            return json_answer({"displayName": "nightly-run-of-the-search", "startTime": began.isoformat()})
        looks.append(seen)
        progress = {"completed": 12345, "total": 20000}
        known = {"name": name, "progress": progress, "complete": False, "projected": "2.345678901"}
        running = cost("RUNNING", "PARTIAL", amount="1.234567891", **known)
        return json_answer(
            running if len(looks) == 1 else {**running, "state": "JOB_STATE_SUCCEEDED", "status": "FINAL"}
        )

    server.respond = respond
    seen = in_a_terminal("jobs", "watch", name, "--interval", "1", NO_COLOR="1", COLUMNS=str(width))
    live, _, _ = seen.partition("succeeded")
    for each in ("4242424242424242424", "12,345/20,000", "1.234567891", "expected, USD", "2.345678901"):
        assert each in live
    assert ("█" in live) == (width in {40, 60, 100})
    assert ("37 min" in live) == (width in {40, 60, 100})


@pytest.mark.parametrize("project", ["acme", "other"])
def test_jobs_of_the_same_id_have_to_be_told_apart(cli, server, project):
    pair = [listed(), listed(location="europe-west4", project=project)]
    server.answers = [json_answer({"object": "list", "data": pair, "next_page": None})]
    refused = cli("jobs", "cost", "4242424242424242424", status=1)
    assert f"projects/{project}/locations/europe-west4/batchPredictionJobs/4242424242424242424" in refused.err


def test_a_job_is_looked_for_on_all_pages(cli, server):
    server.answers = [
        json_answer({"object": "list", "data": [listed(id="1")], "next_page": "p2"}),
        json_answer({"object": "list", "data": [listed()], "next_page": None}),
        json_answer(cost()),
    ]
    cli("jobs", "show", "4242424242424242424", "-o", "json")
    assert [query(seen).get("page") for seen in server.seen] == [None, ["p2"], None]
    assert server.seen[-1].target == (
        "/v1/projects/acme/locations/us-central1/batchPredictionJobs/4242424242424242424"
    )


@pytest.mark.usefixtures("cli")
def test_no_color_is_respected(server):
    server.answers = [json_answer(cost("SUCCEEDED", "FINAL", 10, "0.5"))]
    seen = in_a_terminal("jobs", "watch", JOB, NO_COLOR="1")
    assert "\x1b[3" not in seen
    assert "\x1b[1m" not in seen
    assert "0.50" in seen


def test_a_pipe_gets_whole_lines_without_colours(cli, server):
    models = [f"model-{number}" for number in range(60)]
    team = {
        **dict.fromkeys(("team_alias", "max_budget", "soft_budget", "budget_duration", "rpm_limit")),
        "team_id": "search",
        "models": models,
        "blocked": True,
    }
    server.answers = [json_answer([team])]
    shown = cli("teams", "list")
    assert ", ".join(models) in shown.out
    assert "\x1b" not in shown.out
    assert all(line == line.rstrip() for line in shown.out.splitlines())


def test_budgets_show_what_is_spent_of_them(cli, server):
    team = {
        **dict.fromkeys(("team_alias", "soft_budget", "rpm_limit")),
        "team_id": "search",
        "models": [],
        "blocked": False,
        "max_budget": 250.5,
        "spend": 125.25,
        "budget_duration": "1mo",
    }
    server.answers = [json_answer([team])]
    assert "search - active 125.25 250.50 █████░░░░░ 50.0 % 1mo" in cli("teams", "list").text
    assert Decimal(cli("teams", "list", "-o", "csv").csv[0]["spend"]) == Decimal("125.25")
