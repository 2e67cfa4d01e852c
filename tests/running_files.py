"""Check what must be true after `vbatch run`, whichever gateway it ran against."""

import json
from decimal import Decimal


def prompts(count):
    """Rows in Vertex AI's form."""
    contents = [{"role": "user", "parts": [{"text": "Say hello."}]}]
    request = {"contents": contents, "generationConfig": {"maxOutputTokens": 100}}
    return [{"key": f"row-{number}", "request": request} for number in range(count)]


def check_run(command, folder, place, count=20):
    """Run a file, and check what is printed against the results and the cost on record.

    Args:
        command: Runs a command line and returns its stdout.
        folder: Where the file goes.
        place: Project and location.
        count: How many rows it has.
    """
    file, out = folder / "prompts.jsonl", folder / "results.jsonl"
    file.write_text("".join(f"{json.dumps(row)}\n" for row in prompts(count)))
    told = json.loads(
        command(
            *("run", file, "--model", "gemini-3.5-flash", "--project", place[0], "--location", place[1]),
            *("--label", "test=run", "--max-cost", "5", "--yes", "--out", out, "-o", "json"),
        )
    )
    job = told["name"].rpartition("/")[2]
    keys = sorted(json.loads(line)["key"] for line in out.read_text().splitlines())
    assert keys == sorted(row["key"] for row in prompts(count))
    assert (told["state"], told["status"]) == ("JOB_STATE_SUCCEEDED", "FINAL")
    assert json.loads(command("jobs", "cost", job, "-o", "json"))["amount"] == told["amount"]

    rows = [json.loads(line) for line in command("jobs", "results", job, "--view", "usage").splitlines()]
    assert sum(Decimal(row["amount"]) for row in rows) == Decimal(told["amount"])
    assert Decimal(told["amount"]) > 0
    return told
