"""The command line against the running system, as an administrator uses it."""

import csv
import io
import json
import os
import shlex
import subprocess
from decimal import Decimal

import pytest

import demo
from builders import input_files, output_folder, prompt
from command_line import COMMAND
from documents import blocks
from patience import PATIENCE
from running_files import check_run


@pytest.fixture
def gateway(system, tmp_path):
    """Runs a command and returns what it printed."""
    key = tmp_path / "key"
    key.write_text(system.stack.master_key)

    def run(*arguments, status=0, key=key):
        env = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        ran = subprocess.run(  # noqa: S603 - our own command
            [*COMMAND, *map(str, arguments), "--url", system.stack.gateway_url, "--key-file", key],
            env=env | {"NO_PROXY": "*", "XDG_CONFIG_HOME": str(tmp_path / "config")},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert ran.returncode == status, ran.stdout + ran.stderr
        return ran.stdout

    return run


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_job_from_the_terminal(system, gateway):
    job = system.submit([prompt() for _ in range(20)])
    assert "20/20" in gateway("jobs", "watch", job.name, "--interval", 1)

    cost = json.loads(gateway("jobs", "cost", job.name, "-o", "json"))
    system.check_against_output(job, cost)
    items = rows_of(gateway("jobs", "cost", job.id, "-o", "csv"))
    assert sum(Decimal(item["amount"]) for item in items) == Decimal(cost["amount"])
    (listed,) = rows_of(gateway("jobs", "list", "--label", f"test={job.label}", "-o", "csv"))
    assert (listed["id"], listed["cost"], listed["state"]) == (job.id, cost["amount"], "succeeded")
    assert job.id in gateway("jobs", "show", job.id)
    assert cost["amount"] in gateway("jobs", "list", "--search", job.label)


def test_a_file_runs_to_its_results_with_a_gateway_key_alone(system, gateway, tmp_path):
    prefixes = ("--uri-prefix", "gs://batch-in/run", "--uri-prefix", "gs://batch-out/run")
    made = json.loads(gateway("keys", "create", "--alias", "run", *prefixes, "-o", "json"))
    (tmp_path / "scoped").write_text(made["key"])

    def scoped(*arguments):
        return gateway(*arguments, key=tmp_path / "scoped")

    told = check_run(scoped, tmp_path, ("local-project", "global"))
    cost = system.stack.get(f"/v1/{told['name']}/cost")
    assert cost["amount"] == told["amount"]
    assert all(output["uri"].startswith("gs://batch-out/run/") for output in cost["outputs"])


def test_the_first_job_of_the_readme(gateway, tmp_path):
    words = shlex.split(blocks("example")["run"][1].splitlines()[-1])[1:]
    words[words.index("--out") + 1] = tmp_path / "results.jsonl"
    words[words.index("infra/local/example_input.jsonl")] = demo.EXAMPLE_INPUT
    place = ("--project", "local-project", "--location", "global")
    told = json.loads(gateway(*words, *place, "--yes", "-o", "json"))
    assert told["amount"] == json.loads(blocks("shown")["first-cost"][1])["amount"]


def test_its_spend_and_its_export(system, gateway):
    job = system.submit([prompt()])
    amount = system.final(job)["amount"]
    label = ("--since", "1d", "--label", f"test={job.label}")
    (spent,) = rows_of(gateway("spend", "--by", "model,label:test", "--bucket", "all", *label, "-o", "csv"))
    assert (spent["model"], spent["label:test"], spent["amount"]) == (job.model, job.label, amount)
    days = rows_of(gateway("spend", *label, "-o", "csv"))
    assert sum(Decimal(day["amount"]) for day in days) == Decimal(amount)
    (exported,) = rows_of(gateway("export", "csv", "--by", "job", *label))
    assert (exported["job"], exported["amount"]) == (job.name, amount)
    focus = rows_of(gateway("export", "focus", *label))
    assert sum(Decimal(row["EffectiveCost"]) for row in focus) == Decimal(amount)


def test_an_estimate(system, gateway, tmp_path):
    uri = system.stack.upload_rows("estimate-from-the-terminal.jsonl", [prompt() for _ in range(5)])
    body = {
        "displayName": "estimate",
        "model": "gemini-2.5-flash",
        "inputConfig": input_files(uri),
        "outputConfig": output_folder("gs://batch-out/estimate"),
    }
    file = tmp_path / "job.json"
    file.write_text(json.dumps(body))
    place = ("--project", "local-project", "--location", "us-central1")
    found = json.loads(gateway("estimate", file, *place, "-o", "json"))
    assert Decimal(found["low"]) <= Decimal(found["expected"]) <= Decimal(found["high"])
    assert found["expected"] in gateway("estimate", file, *place)


def test_keys_and_teams_from_the_terminal(system, gateway):
    gateway(
        "teams", "create", "from-the-terminal", "--max-budget", "10.000000001", "--budget-duration", "1mo"
    )
    made = json.loads(
        gateway("keys", "create", "--alias", "terminal", "--team", "from-the-terminal", "-o", "json")
    )
    assert system.stack.get("/key/info", key=made["key"])["info"]["key_alias"] == "terminal"
    assert "10.000000001" in gateway("teams", "show", "from-the-terminal")
    rotated = json.loads(gateway("keys", "rotate", "terminal", "--yes", "-o", "json"))
    assert system.stack.request("GET", "/key/info", key=rotated["key"]).status_code == 200
    gateway("keys", "delete", "terminal", "--yes")
    gateway("teams", "delete", "from-the-terminal", "--yes")
    trail = rows_of(gateway("audit", "--limit", 20, "-o", "csv"))
    assert {"key.generate", "key.regenerate", "key.delete", "team.delete"} <= {row["action"] for row in trail}


def test_sweep_and_reprice_leave_right_books_as_they_are(system, gateway):
    job = system.submit([prompt()])
    cost = system.final(job)
    assert json.loads(gateway("sweep", "-o", "json"))["complete"] is True
    repriced = json.loads(gateway("reprice", "--from", "1h", "--to", "now", "--yes", "-o", "json"))
    assert job.name not in {each["name"] for each in repriced}
    assert system.cost(job) == cost
