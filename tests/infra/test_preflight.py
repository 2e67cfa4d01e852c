"""infra/preflight on projects that a stand-in for gcloud makes up."""

import json
import os
import shlex
import subprocess
import sys

import pytest

from functional.gateway.loopback import Answer, Loopback
from infra.terraform import ROOT
from patience import PATIENCE

PREFLIGHT = ROOT / "infra/preflight"
PROJECT = "my-project"
APIS = "aiplatform.googleapis.com\ncloudresourcemanager.googleapis.com\nserviceusage.googleapis.com\n"
# What gcloud answers, by how the command begins (the longest counts). A list: exit status 1, and the error.
GOOD = {
    "auth list": "you@example.com\n",
    "auth application-default": "token\n",
    "auth print-access-token": "token\n",
    "projects describe": {"projectNumber": "123456789012", "lifecycleState": "ACTIVE"},
    "projects get-iam-policy": {"bindings": [{"role": "roles/owner", "members": ["user:you@example.com"]}]},
    "billing projects describe": {"billingEnabled": True},
    "services list": APIS,
    "org-policies list": "",
    "org-policies describe": {"spec": {"rules": [{"allowAll": True}]}},
    "storage buckets describe": ["ERROR: gs://x not found: 404."],
    "firestore databases describe": ["ERROR: NOT_FOUND"],
    "secrets describe": ["ERROR: NOT_FOUND"],
}


def gcloud(answers, log):
    """A script that answers as gcloud would, and notes its commands: of a shell, which starts in no time."""
    script = f'#!/bin/sh\necho "$*" >>{shlex.quote(str(log))}\ncase "$*" in\n'
    for begin in sorted(answers, key=len, reverse=True):
        answer = answers[begin]
        failed = isinstance(answer, list)
        text = answer[0] if failed else answer if isinstance(answer, str) else json.dumps(answer)
        ends = ">&2; exit 1" if failed else ""
        script += f"{shlex.quote(begin)}*) printf %s {shlex.quote(text)} {ends};;\n"
    return script + '*) echo "ERROR: unknown command $*" >&2; exit 1;;\nesac\n'


@pytest.fixture
def vertex():
    with Loopback() as running:
        yield running


@pytest.fixture
def fly(tmp_path, vertex):
    """Runs it with changes to what gcloud answers; gives exit status and what it says."""
    (tmp_path / "bin").mkdir()
    log = tmp_path / "log"

    def run(*arguments, installed=True, **changes):
        answers = GOOD | {name.replace("_", " "): value for name, value in changes.items()}
        if installed:
            program = tmp_path / "bin/gcloud"
            program.write_text(gcloud(answers, log))
            program.chmod(0o755)
        env = {"PATH": str(tmp_path / "bin"), "NO_PROXY": "*", "HOME": os.environ.get("HOME", "/")}
        env["CLOUDSDK_API_ENDPOINT_OVERRIDES_AIPLATFORM"] = f"{vertex.url}/"
        done = subprocess.run(  # noqa: S603 - our own script
            [sys.executable, PREFLIGHT, PROJECT, *arguments],
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout

    run.log = log
    return run


def test_a_project_that_is_ready(fly, vertex):
    code, said = fly()
    assert code == 0, said
    assert "STOP" not in said
    for part in ("billing is on", "names are free", "you are an owner", "gemini-3.5-flash answers at global"):
        assert part in said
    assert {seen.target for seen in vertex.seen} == {
        f"/v1/projects/{PROJECT}/locations/global/publishers/google/models/{model}:countTokens"
        for model in ("gemini-3.5-flash", "gemini-3.5-flash-lite")
    }
    # Every command names the project, and none changes anything.
    commands = fly.log.read_text().splitlines()
    assert all(f"--project={PROJECT}" in command for command in commands)
    changing = {"enable", "create", "add-iam-policy-binding", "set", "delete", "link", "update"}
    assert not any(changing & set(command.split()) for command in commands)


DOMAINS = {"spec": {"rules": [{"values": {"allowedValues": ["C01234567"]}}]}}
ENFORCED = {"spec": {"rules": [{"enforce": True}]}}


STOPS = [
    {"auth list": ("", "gcloud auth login")},
    {"projects describe": (["no"], "gcloud projects create my-project")},
    {"projects describe": ({"projectNumber": "1", "lifecycleState": "DELETE_REQUESTED"}, "DELETE_REQUESTED")},
    {
        "auth application-default": (["no"], "gcloud auth application-default login"),
        "billing projects describe": ({"billingEnabled": False}, "gcloud billing projects link my-project"),
        "services list": ("", "enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com"),
        "org-policies describe iam.allowedPolicyMemberDomains": (DOMAINS, "public = false"),
        "org-policies describe iam.disableServiceAccountCreation": (ENFORCED, "ask for an exception"),
        "org-policies describe run.allowedIngress": (
            {"spec": {"rules": [{"denyAll": True}]}},
            "run.allowedIngress allows nothing only",
        ),
        "storage buckets describe": (
            ["HTTPError 403: you do not have access"],
            "my-project-batch-gateway-input",
        ),
        "firestore databases describe": ({}, "the database batch-gateway is there already"),
        "secrets describe": ({}, "the secret batch-gateway-config is there already"),
    },
    {
        "services list": (["denied"], "gcloud services enable"),
        "org-policies describe iam.managed.allowedPolicyMembers": (ENFORCED, "public = false"),
        "storage buckets describe gs://my-project-batch-gateway-output": (
            {},
            "my-project-batch-gateway-output",
        ),
    },
]
"""Answers of gcloud, and messages about them: as many in one run as can stand in the way together."""
NOTES = [
    {
        "org-policies list": (["API [orgpolicy.googleapis.com] not enabled"], "not enabled"),
        "projects get-iam-policy": (
            {"bindings": []},
            "you are no owner",
            "gcp-sa-aiplatform lacks roles/aiplatform.serviceAgent",
        ),
        "billing projects describe": (["denied"], "billing could not be seen"),
    },
    {
        "org-policies describe gcp.resourceLocations": (DOMAINS, "gcp.resourceLocations"),
        "services list": (APIS.partition("\n")[2], "run this again after the apply"),
    },
]


@pytest.mark.parametrize(
    ("word", "changes"), [*(("STOP", each) for each in STOPS), *(("note", each) for each in NOTES)]
)
def test_what_stands_in_the_way_and_what_is_only_noted(fly, word, changes):
    code, said = fly(**{command: answer for command, (answer, *_) in changes.items()})
    assert code == (word == "STOP"), said
    for _, *texts in changes.values():
        for text in texts:
            assert any(word in line and text in line for line in said.splitlines()), f"{text}: {said}"


def test_an_installation_that_is_there_is_no_obstacle(fly):
    bucket = {"storage buckets describe gs://my-project-other-source": {"labels": {"app": "other"}}}
    code, said = fly("--name", "other", **bucket, **{"secrets describe": {}})
    assert code == 0, said
    assert "other is installed here already" in said


@pytest.mark.parametrize(
    ("word", "refusals"),
    [
        (
            "STOP",
            [
                (404, b'{"error": {"message": "Publisher Model was not found"}}', "name another in `models`"),
                (
                    403,
                    b'{"error": {"message": "Organization policy forbids"}}',
                    "Organization policy forbids",
                ),
                (403, b"<html>", "HTTP 403"),
            ],
        ),
        (
            "note",
            [
                (429, b'{"error": {"message": "Resource exhausted"}}', "Resource exhausted"),
                (500, b"[]", "HTTP 500"),
            ],
        ),
    ],
)
def test_models_that_do_not_answer(fly, vertex, word, refusals):
    models = [f"gemini-{number}" for number, _ in enumerate(refusals)]
    vertex.answers = [Answer(status, body) for status, body, _ in refusals]
    options = [part for model in models for part in ("--model", model)]
    code, said = fly(*options, "--location", "europe-west4")
    assert code == (word == "STOP"), said
    for model, (_, _, text) in zip(models, refusals, strict=True):
        assert any(word in line and model in line and text in line for line in said.splitlines()), said
    assert [seen.target for seen in vertex.seen] == [
        f"/v1/projects/{PROJECT}/locations/europe-west4/publishers/google/models/{model}:countTokens"
        for model in models
    ]


def test_without_gcloud(fly):
    code, said = fly(installed=False)
    assert code == 1
    assert "gcloud is not installed" in said


def test_its_models_are_those_of_terraform():
    terraform = (ROOT / "infra/variables.tf").read_text()
    block = terraform.partition('variable "models"')[2].partition("\n}")[0]
    for model in ("gemini-3.5-flash", "gemini-3.5-flash-lite"):
        assert f'name = "{model}"' in block
        assert f'"{model}"' in PREFLIGHT.read_text()
