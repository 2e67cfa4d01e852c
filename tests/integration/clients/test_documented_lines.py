"""The lines for each client in clients.md, run to the letter; then the client set up so lists the jobs."""

import pytest

from builders import input_files, output_folder
from documents import blocks
from integration.clients import environments
from stack import PARENT

SUFFIX = {"python": ".py", "js": ".mjs", "bash": ".sh"}
PLACE = PARENT.removeprefix("/v1/")
# What comes after the lines, and the environment that both run in.
GENAI = "print([job.name for job in client.batches.list()])"
VERTEXAI = """
from vertexai.batch_prediction import BatchPredictionJob
print([job.resource_name for job in BatchPredictionJob.list()])
"""
DISCOVERY = f"print(client.projects().locations().batchPredictionJobs().list(parent={PLACE!r}).execute())"
NODE_GENAI = "for await (const job of await client.batches.list()) console.log(job.name);"
NODE_AIPLATFORM = f"""
const request = {{ parent: {PLACE!r} }};
for await (const job of client.listBatchPredictionJobsAsync(request)) console.log(job.name);
"""
CONTINUED = {
    "google-genai": ("python-current", GENAI),
    "google-genai-api-key": ("python-aiplatform", GENAI),
    "google-genai-labels": ("python-current", GENAI),
    "aiplatform": (
        "python-aiplatform",
        "print([job.resource_name for job in aiplatform.BatchPredictionJob.list()])",
    ),
    "vertexai": ("python-1", VERTEXAI),
    "aiplatform-gapic": (
        "python-aiplatform",
        f"print(list(client.list_batch_prediction_jobs(parent={PLACE!r})))",
    ),
    "google-api-python-client": ("python-current", DISCOVERY),
    "node-genai": ("node", NODE_GENAI),
    "node-aiplatform": ("node", NODE_AIPLATFORM),
    "curl": ("", ""),
}


@pytest.fixture(scope="session")
def job(stack):
    """A job that is there to be listed."""
    body = {
        "displayName": "for the documents",
        "model": "gemini-3.5-flash",
        "inputConfig": input_files("gs://batch-in/short.jsonl"),
        "outputConfig": output_folder("gs://batch-out/documents"),
    }
    created = stack.request("POST", f"{PARENT}/batchPredictionJobs", json=body)
    assert created.status_code == 200, created.text
    return created.json()["name"]


@pytest.fixture(scope="session")
def printed(runner, stack, job, tmp_path_factory):  # noqa: ARG001 - the job has to be there first
    """Run each block with the lines that follow it, all at once; give their output."""
    folder = tmp_path_factory.mktemp("lines")
    variables = {"GATEWAY_URL": stack.gateway_url, "GATEWAY_KEY": stack.master_key}

    def execute(name, language, code):
        environment, continuation = CONTINUED[name]
        # Not by its own name: a vertexai.py would hide the library.
        program = folder / f"lines-of-{name}{SUFFIX[language]}"
        program.write_text(f"{code}\n{continuation}\n")
        return runner.execute(environment, program, **variables)

    return {
        name: runner.submit(execute, name, language, code)
        for name, (language, code) in blocks("client").items()
        if name in CONTINUED and not (language == "js" and environments.why_no_node())
    }


def test_there_are_lines_for_every_client():
    assert sorted(blocks("client")) == sorted(CONTINUED)


@pytest.mark.parametrize("name", CONTINUED)
def test_the_lines_work_as_they_stand(name, request, job):
    if CONTINUED[name][0] == "node" and (reason := environments.why_no_node()):
        pytest.skip(reason)
    assert name in blocks("client"), f"no document has a fenced block after <!-- client:{name} -->"
    assert job in request.getfixturevalue("printed")[name].result()
