"""Requests made up from /openapi.json, right ones and wrong ones: no failure, and no undocumented answer."""

from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks

from batch_gateway.gateway.http import openapi
from functional.gateway import conftest
from functional.gateway.conftest import KEY, PROJECT, World, job_id
from thorough import examples

emulator, vertex, world = conftest.emulator, conftest.vertex, conftest.world

CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_path(Path(openapi.__file__).with_name("openapi.json"))
OPERATIONS = [result.ok() for result in SCHEMA.get_all_operations()]
MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)


class Tenant:
    """A gateway for one place with a team, its key and its job, which made-up requests may hit upon."""

    def __init__(self, world):
        self.world = World(world.host, world.store, world.objects, served={(PROJECT, "us-central1"): None})
        self.app = self.world.client.application
        self.call("/team/new", {"team_id": "search"})
        limits = {"team_id": "search", "allowed_uri_prefixes": ["gs://in", "gs://out"]}
        self.secret = self.call("/key/generate", {"key_alias": "scoped", **limits})["key"]
        self.job = job_id(self.world.create(key=self.secret).json)

    def call(self, path, body):
        answer = self.world.call("POST", path, json=body)
        assert answer.status_code == 200, answer.data
        return answer.json

    def point(self, case):
        """Puts what is there in the place of what was made up: else every answer would be a 404."""
        there = {"project": PROJECT, "location": "us-central1", "job": self.job}
        for name in case.path_parameters.keys() & there.keys():
            case.path_parameters[name] = there[name]
        if isinstance(case.body, dict):
            # Another key than the one that calls: it may be changed and deleted.
            other = self.call("/key/generate", {})["token"]
            body = {"key": other, "keys": [other], "team_id": "search"}
            case.body |= {name: body[name] for name in case.body.keys() & body.keys()}
        if isinstance(case.query, dict) and "team_id" in case.query:
            case.query["team_id"] = "search"


@pytest.fixture
def tenant(world):
    return Tenant(world)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
def test_every_answer_is_documented_and_none_is_a_failure(tenant, operation):
    requests = st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES])

    @settings(
        examples(8),
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests, key=st.sampled_from([KEY, tenant.secret]), pointed=st.booleans())
    def attempt(case, key, pointed):
        if pointed:
            tenant.point(case)
        # Its client in this process does not undo a compression.
        headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
        answer = case.call(app=tenant.app, headers=headers)
        case.validate_response(answer, checks=CHECKS)

    attempt()
