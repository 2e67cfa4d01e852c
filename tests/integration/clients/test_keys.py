"""Clients with API keys of the gateway: a team's, which sees its own jobs, and one that may do little."""

import pytest

from integration.clients.runs import TEAM_CLIENTS, upstream

every_team = pytest.mark.parametrize("client", TEAM_CLIENTS)


@every_team
def test_a_team_s_key_from_create_to_delete(run, client):  # noqa: ARG001 - `run` is of this client
    assert run.result["pages"] == [[run.result["jobs"]["short"]], [run.result["jobs"]["long"]]]
    assert run.result["filtered"] == [run.result["jobs"]["short"]]
    assert run.result["ended"] == {"short": "JOB_STATE_SUCCEEDED", "long": "JOB_STATE_CANCELLED"}
    assert "does not exist" in run.result["errors"]["deleted"]["text"]


@every_team
def test_its_cost_names_key_and_team(run, client, stack):
    cost = stack.wait_for_cost(run.result["jobs"]["short"])
    assert (cost["apiKey"], cost["team"]) == (client, TEAM_CLIENTS[client].team)


def test_what_a_limited_key_may_not_is_said_in_the_library_s_exception(stack, runner):
    key = runner.new_key(
        "limited",
        models=["gemini-3.5-flash"],
        allowed_uri_prefixes=["gs://batch-in", "gs://batch-out/limited"],
    )
    run = runner.run_command(
        "limited", "python-current", "client_genai_limited.py", key=key, FOREIGN="gs://somebody-else"
    )
    for what, reason in (
        ("input", "URI_NOT_ALLOWED"),
        ("output", "URI_NOT_ALLOWED"),
        ("model", "MODEL_NOT_ALLOWED"),
    ):
        raised = run.result["errors"][what]
        assert raised["classes"][:1] == ["google.genai.errors.ClientError"]
        assert "403 PERMISSION_DENIED" in raised["text"]
        assert reason in raised["text"]
    assert not any("somebody-else" in each["body"] for each in upstream(stack))
