"""The command line against a gateway in memory, served on a port, in front of the Vertex emulator."""

import csv
import io
import json
import re
import shlex
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
from werkzeug.serving import make_server

from batch_gateway.ports import StoreUnavailableError
from builders import prompt
from command_line import COMMAND
from functional.gateway.conftest import KEY, PROJECT, MemoryStorage, World, job_body, job_id, new_emulator
from gateway_cli.__main__ import main as start
from gateway_cli.cli import main, parser

ROW = prompt()
PLACE = ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION")
DAY = timedelta(days=1)


class Ran:
    """A command's output, and how it ended."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    @property
    def json(self):
        return json.loads(self.out, parse_float=Decimal)

    @property
    def csv(self):
        return list(csv.DictReader(io.StringIO(self.out)))

    @property
    def text(self):
        """Return the cells of a table, however wide its columns are."""
        return " ".join(self.out.split())

    @property
    def pairs(self):
        """Return the values of a record, by name."""
        return {
            name: rest.strip() for name, _, rest in (line.partition("  ") for line in self.out.splitlines())
        }


class Cli:
    """Runs commands in this process."""

    def __init__(self, url, monkeypatch, capsys, tmp_path):
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        monkeypatch.setenv("GATEWAY_URL", url)
        monkeypatch.setenv("GATEWAY_KEY", KEY)
        monkeypatch.setenv("NO_PROXY", "*")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        for name in (*PLACE, "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        self.answer(None)

    def env(self, **values):
        for name, value in values.items():
            self._monkeypatch.setenv(name, value) if value is not None else self._monkeypatch.delenv(name)

    def answer(self, typed):
        """Set the user's next input; None: there is no terminal."""
        stdin = io.StringIO(typed or "")
        stdin.isatty = lambda: typed is not None
        self._monkeypatch.setattr("sys.stdin", stdin)

    def __call__(self, *arguments, status=0):
        self._capsys.readouterr()
        try:
            ended = main([str(each) for each in arguments])
        except SystemExit as stop:
            ended = stop.code
        ran = Ran(ended, *self._capsys.readouterr())
        assert ran.status == status, f"{ran.status}\n{ran.out}\n{ran.err}"
        return ran


@contextmanager
def served(app):
    """The URL of an application, on a port of its own."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def emulator():
    with new_emulator() as running:
        yield running


@pytest.fixture
def world(emulator, monkeypatch):
    # The gateway's log goes to its process's stdout, which is the command's here.
    monkeypatch.setattr("batch_gateway.logs.sys", SimpleNamespace(stdout=io.StringIO()))
    emulator._store._jobs.clear()
    made = World(emulator.host)
    emulator._lifecycle._storage = MemoryStorage(made.objects)
    made.objects.put("in", "rows.jsonl", "\n".join([json.dumps(ROW)] * 3).encode())
    made.emulator = emulator
    return made


@pytest.fixture
def cli(world, monkeypatch, capsys, tmp_path):
    with served(world.client.application) as url:
        yield Cli(url, monkeypatch, capsys, tmp_path)


def run_to_end(world, **changes):
    """A job that ended, its output settled."""
    job = world.created(job_body(**changes))
    world.emulator.finish(job["name"])
    done = world.get(f"/v1/{job['name']}").json
    world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")
    return job


def test_a_key_is_made_and_its_secret_shown_once_with_a_warning(cli, world):
    made = cli("keys", "create", "--alias", "nightly", "--duration", "90d")

    secret = next(word for word in made.out.split() if word.startswith("sk-") and len(word) > 20)
    assert world.get("/key/info", key=secret).json["info"]["key_alias"] == "nightly"
    assert "the only time the secret is shown" in made.err
    for later in (cli("keys", "show", "nightly"), cli("keys", "list"), cli("keys", "list", "-o", "json")):
        assert secret not in later.out + later.err
        assert "nightly" in later.out


def test_a_secret_can_be_taken_by_a_script(cli, world):
    secret = cli("keys", "create", "--alias", "ci", "-o", "json").json["key"]
    assert world.get("/key/info", key=secret).status_code == 200
    (row,) = cli("keys", "create", "--alias", "ci2", "-o", "csv").csv
    assert world.get("/key/info", key=row["key"]).status_code == 200


def test_every_limit_gets_to_the_gateway(cli, world):
    cli("teams", "create", "search", "--name", "Search & find")
    cli(
        *("keys", "create", "--alias", "k", "--team", "search", "--model", "a", "--model", "b"),
        *("--project", PROJECT, "--location", "us-central1", "--uri-prefix", "gs://in/x", "--rpm-limit", 7),
        *("--max-budget", "1,250.000000001", "--soft-budget", "0.1", "--budget-duration", "1mo"),
        *("--metadata", "owner=a=b", "--default-label", "cost-center=42", "--default-label", "stage="),
        *("--required-label", "campaign", "--required-label", "stage"),
    )
    (key,) = world.get("/key/list").json["keys"]
    assert key["team_id"] == "search"
    assert (key["models"], key["projects"], key["locations"]) == (["a", "b"], [PROJECT], ["us-central1"])
    assert (key["allowed_uri_prefixes"], key["rpm_limit"], key["budget_duration"]) == (
        ["gs://in/x"],
        7,
        "1mo",
    )
    assert key["metadata"] == {"owner": "a=b"}
    assert key["default_labels"] == {"cost-center": "42", "stage": ""}
    assert key["required_labels"] == ["campaign", "stage"]
    cli("keys", "update", "k", "--clear", "default-label", "--clear", "required-label")
    (cleared,) = world.get("/key/list").json["keys"]
    assert (cleared["default_labels"], cleared["required_labels"]) == ({}, [])
    assert b'"max_budget":1250.000000001' in world.get("/key/list").data
    assert b'"soft_budget":0.1' in world.get("/key/list").data


def test_budgets_stay_exact_in_every_form(cli):
    cli("keys", "create", "--alias", "k", "--max-budget", "123456789.123456789", "--budget-duration", "7d")
    assert "123,456,789.123456789" in cli("keys", "list").out
    assert cli("keys", "list", "-o", "csv").csv[0]["max_budget"] == "123456789.123456789"
    assert '"max_budget": 123456789.123456789' in cli("keys", "list", "-o", "json").out


@pytest.mark.parametrize(
    "budget",
    ["-1", "1e400", "NaN", "lots", "0.0000000001", "Infinity", "12,50", "1,25", "1.250,00", "1,2345", "1_0"],
)
def test_what_is_no_budget_is_not_sent(cli, world, budget):
    refused = cli("keys", "create", "--alias", "k", f"--max-budget={budget}", status=2)
    assert budget in refused.err
    assert world.get("/key/list").json["keys"] == []


def test_a_key_is_changed_in_what_is_given_only(cli, world):
    cli("keys", "create", "--alias", "k", "--rpm-limit", 5, "--model", "a", "--duration", "1d")
    cli("keys", "update", "k", "--alias", "k2", "--rpm-limit", 9)
    (key,) = world.get("/key/list").json["keys"]
    assert (key["key_alias"], key["rpm_limit"], key["models"]) == ("k2", 9, ["a"])
    assert key["expires"]

    cli("keys", "update", "k2", "--clear", "rpm-limit", "--clear", "expiry", "--clear", "model")
    (key,) = world.get("/key/list").json["keys"]
    assert (key["rpm_limit"], key["models"], key["expires"]) == (None, [], None)

    assert "Nothing to change" in cli("keys", "update", "k2", status=2).err
    assert (
        "--clear rpm-limit"
        in cli("keys", "update", "k2", "--clear", "rpm-limit", "--rpm-limit", 1, status=2).err
    )


def test_a_disabled_key_is_refused_until_it_is_enabled(cli, world):
    secret = cli("keys", "create", "--alias", "k", "-o", "json").json["key"]
    assert "disabled" in cli("keys", "disable", "k").out
    assert world.call("GET", "/key/info", key=secret, client=world.new_client()).status_code == 403
    assert "disabled" in cli("keys", "list").out
    cli("keys", "enable", "k")
    assert world.call("GET", "/key/info", key=secret, client=world.new_client()).status_code == 200


def test_rotating_asks_unless_the_old_secret_works_on(cli, world):
    old = cli("keys", "create", "--alias", "k", "-o", "json").json["key"]
    assert "--yes" in cli("keys", "rotate", "k", status=2).err

    new = cli("keys", "rotate", "k", "--grace-period", "1h", "-o", "json").json["key"]
    works = [world.get("/key/info", key=key, client=world.new_client()).status_code for key in (old, new)]
    assert works == [200, 200]

    # Of the two secrets the alias stands for the newer one.
    newest = cli("keys", "rotate", "k", "--yes", "-o", "json").json["key"]
    works = [
        world.get("/key/info", key=key, client=world.new_client()).status_code for key in (old, new, newest)
    ]
    assert works == [200, 403, 200]


def test_deleting_asks(cli, world):
    cli("keys", "create", "--alias", "k")
    cli("keys", "delete", "k", status=2)
    cli.answer("n\n")
    assert cli("keys", "delete", "k", status=1).err.endswith("Continue? [y/N] Nothing was done.\n")
    assert len(world.get("/key/list").json["keys"]) == 1
    cli.answer("y\n")
    assert "permanently" in cli("keys", "delete", "k").err
    assert world.get("/key/list").json["keys"] == []


def test_deleting_by_alias_takes_all_its_secrets_and_by_token_only_that_one(cli, world):
    cli("keys", "create", "--alias", "k")
    cli("keys", "rotate", "k", "--grace-period", "1h")
    one, other = (key["token"] for key in world.get("/key/list").json["keys"])
    cli("keys", "delete", one, "--yes")
    assert [key["token"] for key in world.get("/key/list").json["keys"]] == [other]
    cli("keys", "rotate", "k", "--grace-period", "1h")
    cli("keys", "delete", "k", "--yes")
    assert world.get("/key/list").json["keys"] == []


def test_a_key_is_found_by_the_beginning_of_its_token(cli, world):
    cli("keys", "create", "--alias", "k")
    (key,) = world.get("/key/list").json["keys"]
    assert cli("keys", "show", key["token"][:12], "-o", "json").json["key_alias"] == "k"
    cli("keys", "show", key["token"][:7], status=1)


def test_a_secret_on_the_command_line_is_not_repeated(cli):
    secret = cli("keys", "create", "--alias", "k", "-o", "json").json["key"]
    refused = cli("keys", "show", secret, status=2)
    assert secret not in refused.out + refused.err
    assert "history" in refused.err


def test_all_pages_of_keys_are_listed(cli, world):
    for number in range(205):
        world.call("POST", "/key/generate", json={"key_alias": f"k{number:03}"})
    assert [key["key_alias"] for key in cli("keys", "list", "-o", "json").json] == [
        f"k{n:03}" for n in range(205)
    ]


def test_a_scoped_key_looks_at_itself_and_no_further(cli, tmp_path):
    secret = cli("keys", "create", "--alias", "mine", "-o", "json").json["key"]
    file = tmp_path / "key"
    file.write_text(f"{secret}\n")
    assert "mine" in cli("keys", "show", "--key-file", file).out
    refused = cli("keys", "list", "--key-file", file, status=1)
    assert "PERMISSION_DENIED, reason ADMIN_ONLY" in refused.err
    assert "Only the master key, and keys with the role 'admin' or 'viewer', may see this" in refused.err


def test_teams_from_beginning_to_end(cli, world):
    cli("teams", "create", "search", "--name", "Search", "--max-budget", "250.5", "--budget-duration", "1mo")
    cli("keys", "create", "--alias", "k", "--team", "search")
    assert "250.50" in cli("teams", "list").out
    shown = cli("teams", "show", "search")
    assert "Search" in shown.out
    assert "keys k" in shown.text
    cli("teams", "update", "search", "--clear", "max-budget", "--clear", "name", "--location", "us-central1")
    (team,) = world.get("/team/list").json
    assert (team["max_budget"], team["team_alias"], team["locations"]) == (None, None, ["us-central1"])
    cli("teams", "disable", "search")
    assert world.get("/team/list").json[0]["blocked"] is True
    cli("teams", "enable", "search")
    assert "TEAM_HAS_KEYS" in cli("teams", "delete", "search", "--yes", status=1).err
    cli("keys", "delete", "k", "--yes")
    assert cli("teams", "delete", "search", "--yes", "-o", "json").json == {"deleted_teams": ["search"]}
    assert "No teams yet" in cli("teams", "list").err


def test_a_change_shows_what_changed_and_no_more(cli):
    made = cli("teams", "create", "search", "--max-budget", "250")
    assert made.out.splitlines() == ["team             search", "max budget, USD  250.00"]
    changed = cli("teams", "update", "search", "--max-budget", "500", "--clear", "model")
    assert set(changed.pairs) == {"team", "status", "max budget, USD", "models"}
    cli("keys", "create", "--alias", "k", "--team", "search")
    assert set(cli("keys", "disable", "k").pairs) == {"alias", "status"}
    assert set(cli("keys", "update", "k", "--alias", "k2", "--rpm-limit", 3).pairs) == {
        "alias",
        "status",
        "rpm limit",
    }


def test_the_master_key_is_named_when_it_asks_for_itself(cli):
    assert "the master key" in cli("keys", "show", status=1).err


def test_a_key_has_a_name_that_somebody_chose(cli):
    assert "--alias" in cli("keys", "create", status=2).err


def test_messages_name_commands(cli):
    cli("teams", "create", "search")
    refused = cli("teams", "create", "search", status=1).err
    assert "Change it with `vbatch teams update`." in refused
    assert "POST" not in refused
    assert "HTTP" not in refused


def test_jobs_are_listed_with_their_cost(cli, world):
    job = run_to_end(world, labels={"environment": "production"})
    world.created(job_body(displayName="other"))
    amount = world.get(f"/v1/{job['name']}/cost").json["amount"]

    ended, running = sorted(cli("jobs", "list", "-o", "csv").csv, key=lambda row: row["display_name"])
    assert (ended["id"], ended["cost"], ended["state"]) == (job_id(job), amount, "succeeded")
    assert (ended["completed"], ended["total"], ended["labels"]) == ("3", "3", "environment=production")
    assert (running["display_name"], running["cost"], running["wasted"]) == ("other", "", "")
    assert (running["expected"], running["cost_status"]) == ("", "PENDING")
    listed = cli("jobs", "list")
    assert amount in listed.out
    assert "3/3" in listed.out


def test_a_running_job_shows_what_it_may_cost_and_no_cost(cli, world):
    job = world.created()
    projected = world.get(f"/v1/{job['name']}/cost").json["projected"]
    assert Decimal(projected)

    (row,) = cli("jobs", "list", "-o", "csv").csv
    assert (row["cost"], row["expected"], row["wasted"]) == ("", projected, "")
    (listed,) = cli("jobs", "list").out.splitlines()[1:]
    assert projected in listed.split()
    shown = cli("jobs", "cost", job_id(job)).pairs
    assert (shown["cost, USD"], shown["wasted, USD"], shown["projected, USD"]) == ("-", "-", projected)
    for told in (listed, *shown.values()):
        assert "0.00" not in told.split()


def test_jobs_are_filtered(cli, world):
    job = run_to_end(world, labels={"environment": "production"})
    world.created(job_body(displayName="other"))

    def found(*arguments):
        return [each["id"] for each in cli("jobs", "list", "-o", "json", *arguments).json]

    assert found("--label", "environment=production") == [job_id(job)]
    assert found("--state", "succeeded") == found("--state", "JOB_STATE_SUCCEEDED") == [job_id(job)]
    assert len(found("--state", "succeeded", "--state", "pending")) == 2
    assert found("--model", "gemini-2.5-pro") == found("--until", "yesterday") == found("--team", "x") == []
    assert len(found("--since", "1h", "--model", "gemini-2.5-flash", "--key", "master")) == 2
    assert "No such jobs" in cli("jobs", "list", "--search", "nowhere").err
    mistyped = cli("jobs", "list", "--state", "runing", status=2).err
    assert "there is no state 'runing'; there are queued, pending, running" in mistyped


def test_a_list_that_goes_on_says_so(cli, world):
    for _ in range(3):
        world.created()
    short = cli("jobs", "list", "--limit", 2, "-o", "json")
    assert len(short.json) == 2
    assert "There may be more" in short.err
    assert cli("jobs", "list", "--limit", 5).err == ""


def test_a_cost_is_shown_item_by_item(cli, world):
    job = run_to_end(world)
    cost = world.get(f"/v1/{job['name']}/cost").json
    shown = cli("jobs", "cost", job_id(job))
    assert f"total {cost['amount']}" in shown.text
    for item in cost["lineItems"]:
        assert item["unitPrice"] in shown.out
        assert item["amount"] in shown.out
    rows = cli("jobs", "cost", job_id(job), "-o", "csv").csv
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(cost["amount"])
    assert cli("jobs", "cost", job["name"], "-o", "json").json == cost


def test_a_job_is_shown_cancelled_and_deleted(cli, world):
    job = world.created()
    assert "gs://in/rows.jsonl" in cli("jobs", "show", job_id(job)).out
    cli("jobs", "cancel", job_id(job), status=2)
    assert "asked to cancel" in cli("jobs", "cancel", job_id(job), "--yes").err
    world.emulator.finish(job["name"])
    assert cli("jobs", "show", job_id(job), "-o", "json").json["state"] == "JOB_STATE_CANCELLED"
    assert "FAILED_PRECONDITION" in cli("jobs", "cancel", job_id(job), "--yes", status=1).err
    cli("jobs", "delete", job_id(job), "--yes")
    assert "NOT_FOUND" in cli("jobs", "show", job_id(job), status=1).err
    assert cli("jobs", "cost", job_id(job), "-o", "json").json["state"] == "JOB_STATE_CANCELLED"


@pytest.mark.parametrize("name", ["../../key/list", "projects/a/locations/b", "a b", "x?y=z", "a/b", ""])
def test_what_is_no_job_is_not_asked_for(cli, world, name):
    world.emulator.requests.clear()
    assert "is not the name of a job" in cli("jobs", "cost", name, status=2).err


def test_a_job_that_is_not_on_record(cli):
    assert "no record of a job 99" in cli("jobs", "cost", "99", status=1).err


def pausing(monkeypatch, during):
    """Does something in place of the pauses between two looks; an hour goes by in each."""
    clock = count(0, 3600)
    time = SimpleNamespace(sleep=during, monotonic=lambda: next(clock))
    monkeypatch.setattr("gateway_cli.watching.time", time)


def test_watching_ends_with_the_job(cli, world, monkeypatch):
    job = world.created()
    looks = []

    def tick(_):
        looks.append(1)
        world.emulator.step()
        done = world.get(f"/v1/{job['name']}").json
        if "outputInfo" in done and done["state"] == "JOB_STATE_SUCCEEDED":
            world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")

    pausing(monkeypatch, tick)
    watched = cli("jobs", "watch", "-o", "json")
    (cost,) = watched.json
    assert (cost["status"], cost["state"]) == ("FINAL", "JOB_STATE_SUCCEEDED")
    assert "pending" in watched.err
    assert "3/3" in watched.err
    first, *_, last = watched.err.splitlines()
    projected = re.search(r"cost -  expected (0\.\d+)", first)[1]
    assert Decimal(projected)
    assert re.search(rf"cost {cost['amount']}  expected -", last)
    assert "cost 0.00 " not in watched.err
    assert "\x1b" not in watched.err
    assert "No job is running" in cli("jobs", "watch").err


def test_watching_a_job_that_does_not_succeed_fails(cli, world, monkeypatch):
    job = world.created()
    world.call("POST", f"/v1/{job['name']}:cancel", json={})
    pausing(monkeypatch, lambda _: world.emulator.step())
    assert "cancelled" in cli("jobs", "watch", job_id(job), status=1).out


def test_rows_that_a_cancelled_job_did_not_run_are_called_so(cli, world):
    job = world.created()
    done = world.emulator.finish(job["name"], state="JOB_STATE_CANCELLED", rows=1)
    world.settle(f"{done['outputInfo']['gcsOutputDirectory']}/predictions.jsonl")
    listed = cli("jobs", "failures", job_id(job), "-o", "csv").csv
    assert [(row["row"], row["state"], row["reason"]) for row in listed] == [
        ("2", "not run", "the job ended before"),
        ("3", "not run", "the job ended before"),
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--model", "gemini-nope"), "There is no model 'gemini-nope'"),
        (("--model", "gemini-2.5-flash", "--label", "Env=prod"), "it has 'E'"),
    ],
)
def test_what_the_gateway_refuses_is_refused_before_the_upload(cli, world, tmp_path, given, told):
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(ROW)}\n")
    place = ("--project", PROJECT, "--location", "us-central1")
    before = dict(world.objects._objects)
    assert told in cli("run", tmp_path / "rows.jsonl", "--yes", *place, *given, status=1).err
    assert world.objects._objects == before


def test_repricing_asks_and_shows_what_changed(cli, world):
    job = run_to_end(world)
    (record,) = world.store._jobs.values()
    before = record.cost.amount_nano
    world.store._jobs[record.key] = _charged(record, before + 1_000)

    refused = cli("reprice", "--from", "1h", "--to", "now", status=2)
    assert "--yes" in refused.err
    assert world.record(job).cost.amount_nano == before + 1_000

    done = cli("reprice", "--from", "1h", "--to", datetime.now(UTC) + DAY, "--yes", "-o", "csv")
    (row,) = done.csv
    assert Decimal(row["difference"]) == Decimal("-0.000001")
    assert world.record(job).cost.amount_nano == before
    assert "1 jobs examined" in done.err
    again = cli("reprice", "--from", "1h", "--to", datetime.now(UTC) + DAY, "--yes")
    assert "No cost changed" in again.err


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (("--from", "1h", "--to", "", "--yes"), 2),
        (("--from", "1h", "--to", "now", "--model", "", "--yes"), 0),
    ],
)
def test_an_empty_text_does_not_mean_that_all_jobs_are_repriced(cli, world, given, status):
    job = run_to_end(world)
    (record,) = world.store._jobs.values()
    dear = record.cost.amount_nano + 1_000
    world.store._jobs[record.key] = _charged(record, dear)

    cli("reprice", *given, status=status)

    assert world.record(job).cost.amount_nano == dear


@pytest.mark.parametrize("command", [("spend",), ("jobs", "list"), ("audit",), ("export", "csv")])
@pytest.mark.parametrize("end", ["--since", "--until"])
def test_an_empty_time_is_refused(cli, command, end):
    assert "'' is not a time" in cli(*command, end, "", status=2).err


def test_a_repricing_without_an_answer_does_not_say_that_nothing_changed(cli, world, monkeypatch):
    monkeypatch.setattr(world.store, "jobs_created", _unavailable)

    failed = cli("reprice", "--from", "1h", "--to", "now", "--yes", status=1)

    assert "No cost changed" not in failed.err
    assert failed.out == ""


def _unavailable(*_, **__):
    raise StoreUnavailableError("away")


def test_ctrl_c_while_it_starts_is_no_error(monkeypatch, capsys):
    class Interrupt:
        def find_spec(self, name, *_):
            if name == "gateway_cli.cli":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "gateway_cli.cli")
    monkeypatch.setattr(sys, "meta_path", [Interrupt(), *sys.meta_path])

    assert start() == 130
    assert capsys.readouterr().err == "\nStopped.\n"


@pytest.mark.parametrize("option", ["--metadata", "--default-label"])
def test_of_two_values_for_a_name_none_is_lost(cli, option):
    told = cli("keys", "create", "--alias", "a", option, "env=a", option, "env=b", status=2).err
    assert f"{option} env is given twice: 'a' and 'b'" in told


def test_an_unknown_option_shows_those_of_the_command(cli):
    told = cli("keys", "create", "--alias", "a", "--rpm", "5", status=2).err
    assert "unrecognized arguments: --rpm 5" in told
    assert "--rpm-limit" in told


def _charged(record, nano):
    import msgspec  # noqa: PLC0415 - only here

    return msgspec.structs.replace(
        record, cost=msgspec.structs.replace(record.cost, amount_nano=nano, price_table="old")
    )


def test_a_sweep_says_what_it_did(cli, world):
    job = world.created()
    world.emulator.finish(job["name"])
    swept = cli("sweep", "-o", "json").json
    assert swept["settled"] == 1
    assert world.get(f"/v1/{job['name']}/cost").json["status"] == "FINAL"
    assert "jobs looked at" in cli("sweep").text


def test_the_audit_trail_in_pages(cli, monkeypatch):
    for number in range(5):
        cli("keys", "create", "--alias", f"k{number}")
    monkeypatch.setattr("gateway_cli.administration._PAGE", 2)
    assert [row["target"] for row in cli("audit", "-o", "csv").csv] == ["k4", "k3", "k2", "k1", "k0"]
    assert [row["target"] for row in cli("audit", "-o", "csv", "--limit", 3).csv] == ["k4", "k3", "k2"]
    assert "key.generate" in cli("audit", "--utc").out
    assert cli("audit", "--until", "yesterday", "-o", "json").json == []


def test_the_audit_trail_says_what_changed_in_a_line_and_finds_entries(cli):
    cli("keys", "create", "--alias", "nightly", "--max-budget", "5")
    cli("keys", "update", "nightly", "--max-budget", "10", "--model", "a", "--model", "b")
    cli("teams", "create", "search")
    cli("prices", "discount", "gemini-3.5-flash", "0.07")

    rows = cli("audit", "-o", "csv").csv
    assert [row["change"] for row in rows][1:3] == [
        "team_id search",
        'models none -> ["a", "b"], max_budget 5 -> 10',
    ]
    assert rows[3]["change"].endswith("key_alias nightly, max_budget 5")
    assert rows[0]["change"] == 'terms {"discount": "0.07"}'
    assert "max_budget 5 -> 10" in cli("audit", "--action", "key.update").out
    found = cli("audit", "--actor", "master", "--target", "search", "-o", "csv").csv
    assert [row["action"] for row in found] == ["team.new"]
    assert "action: must be one of" in cli("audit", "--action", "made", status=1).err


def test_keys_with_roles(cli):
    made = cli("keys", "create", "--alias", "finance", "--role", "viewer", "-o", "json").json
    assert made["role"] == "viewer"
    assert cli("keys", "list", "-o", "csv").csv[0]["role"] == "viewer"
    assert cli("keys", "show", "finance").pairs["role"] == "viewer"
    cli("keys", "update", "finance", "--role", "admin")
    assert cli("keys", "list", "-o", "json").json[0]["role"] == "admin"
    cli("keys", "update", "finance", "--clear", "role")
    assert cli("keys", "list", "-o", "json").json[0]["role"] is None
    assert "owner" in cli("keys", "create", "--alias", "x", "--role", "owner", status=2).err

    cli("keys", "update", "finance", "--role", "viewer")
    cli.env(GATEWAY_KEY=made["key"])
    assert cli("keys", "list").status == 0
    refused = cli("keys", "create", "--alias", "more", status=1)
    assert "READ_ONLY_KEY" in refused.err


def test_a_wrong_key_and_no_key(cli):
    cli.env(GATEWAY_KEY="sk-wrong")
    refused = cli("keys", "list", status=1)
    assert "reason API_KEY_INVALID" in refused.err
    cli.env(GATEWAY_KEY=None)
    assert "GATEWAY_KEY" in cli("keys", "list", status=2).err


def test_a_key_is_asked_for_on_a_terminal(cli, monkeypatch):
    cli.env(GATEWAY_KEY=None)
    cli.answer("")
    monkeypatch.setattr("gateway_cli.declaring.getpass.getpass", lambda _: KEY)
    assert cli("keys", "list", "-o", "json").json == []


def test_netrc_does_not_replace_the_key(cli, monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert cli("keys", "list", "-o", "json").json == []


def test_what_others_named_cannot_steer_the_terminal(cli, world):
    world.created(job_body(displayName="\x1b]0;owned\x07\u202egpj.exe"))
    shown = cli("jobs", "list").out
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "owned" in shown


def test_what_others_named_is_no_formula(cli, world):
    world.created(job_body(displayName="=1+1"))
    assert cli("jobs", "list", "-o", "csv").csv[0]["display_name"] == "'=1+1"


PARSER = parser()


def leaves(of=PARSER):
    """Every command, as it is typed."""
    for action in of._actions:
        for word, below in (
            getattr(action, "choices", None).items() if hasattr(action, "_parser_class") else ()
        ):
            found = list(leaves(below))
            yield from ((word, *each) for each in found) if found else [(word,)]


JOBS = ["list", "show", "cost", "watch", "submit", "results", "failures", "resume", "cancel", "delete"]


def test_the_commands_are_those_that_were_promised():
    assert {" ".join(each) for each in leaves()} == {
        *(
            f"keys {verb}"
            for verb in ("list", "create", "show", "update", "rotate", "disable", "enable", "delete")
        ),
        *(f"teams {verb}" for verb in ("list", "create", "show", "update", "disable", "enable", "delete")),
        *(f"jobs {verb}" for verb in JOBS),
        *(f"prices {verb}" for verb in ("list", "overrides", "set", "discount", "delete")),
        *("login", "open", "completion", "run"),
        *("spend", "export", "estimate", "reprice", "reconcile", "sweep", "audit"),
    }


@pytest.mark.parametrize("command", list(leaves()), ids=" ".join)
def test_every_command_has_help_with_an_example_that_parses(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*command, "--help"])
    assert stop.value.code == 0
    helped = capsys.readouterr().out
    lines = helped.split("example")[-1].splitlines()[1:]
    assert lines
    for line in lines:
        typed = line.strip().split(" | vbatch ")[-1].removeprefix("vbatch ")
        for end in (" | ", " && ", " > ", " < "):
            typed = typed.split(end)[0]
        words = shlex.split(typed)
        assert tuple(words[: len(command)]) == command
        assert PARSER.parse_args(words).run


@pytest.mark.parametrize("command", [[], ["keys"], ["jobs"], ["nonsense"], ["jobs", "list", "--lim", "3"]])
def test_a_command_that_makes_no_sense_is_2(cli, command):
    assert "usage: vbatch" in cli(*command, status=2).err


def shell(*command, **given):
    """Runs a command in a process of its own, with the environment of this one."""
    given = {"capture_output": True, "timeout": 60, **given}
    return subprocess.run(list(map(str, command)), check=False, **given)  # noqa: S603 - our own command


def test_a_reader_that_has_enough_is_no_error(cli):
    for number in range(30):
        cli("keys", "create", "--alias", f"key-{number}")
    command = f"{shlex.join(COMMAND)} keys list -o json | head -c 1"
    ran = shell("bash", "-o", "pipefail", "-c", command, text=True)
    assert (ran.stdout, ran.stderr) == ("[", "")


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no device here is always full")
@pytest.mark.usefixtures("cli")
def test_a_full_disk_is_told_without_a_traceback():
    ran = shell("bash", "-c", f"{shlex.join(COMMAND)} keys list -o json > /dev/full", text=True)
    assert (ran.returncode, ran.stderr) == (1, "Error: No space left on device\n")
