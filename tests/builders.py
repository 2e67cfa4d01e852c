"""Build the bodies, rows and names that many tests use."""

from batch_gateway.core.accounting.settlement import settle_output
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.usage import Quantity, Rows, Tokens, Usage


def prompt(text="How long is a piece of string?", limit=None, **emulate):
    """Return an input row for Gemini, with a limit on its output and what the emulator is to make of it."""
    request = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
    if limit is not None:
        request["generationConfig"] = {"maxOutputTokens": limit}
    return {"request": request, **({"emulate": emulate} if emulate else {})}


def input_files(*uris, form="jsonl", **beside):
    """Return the inputConfig of a job that reads files, with more beside their URIs."""
    return {"instancesFormat": form, "gcsSource": {"uris": list(uris), **beside}}


def output_folder(prefix, form="jsonl"):
    """Return the outputConfig of a job that writes files."""
    return {"predictionsFormat": form, "gcsDestination": {"outputUriPrefix": prefix}}


def job_record(created, number=5678, *, project="my-project", location="us-central1", seen=None, **members):
    """Return the record of a team's job that has succeeded, with other members of it and of what was seen."""
    observed = {
        "name": f"projects/1234/locations/{location}/batchPredictionJobs/{number}",
        "state": "JOB_STATE_SUCCEEDED",
        "model": "publishers/google/models/gemini-2.5-flash",
        **(seen or {}),
    }
    key = JobKey(project, location, str(number))
    owner = {"api_key": "nightly", "team": "search"}
    return JobRecord(key, Observation(**observed), created, **{**owner, **members})


def usage(tokens, model="gemini-2.5-flash", item="input_text", window="0-200k", rows=1):
    """Return the usage of rows that are charged for tokens of one kind."""
    return Usage(Rows(succeeded=rows), Tokens(input=tokens), (Quantity(model, window, item, tokens, rows),))


def settle(store, key, output, table):
    """Settle an output of a job in a store, and return what the store returns."""
    return store.settle(key, output, lambda job, old, parts: settle_output(job, old, parts, output, table))
