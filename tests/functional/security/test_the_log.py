"""Read the log, after everything else in this folder was tried on the same process."""

import json
import os
from unittest.mock import patch

from google.cloud.firestore_v1 import Client

from functional.security.conftest import JOBS, PROJECT


def test_no_secret_that_was_used_is_in_the_log(gateway):
    for wrong in (gateway.secret(), f"sk-{gateway.secret()}"):
        gateway.request("GET", f"{JOBS}/1?key={wrong}&access_token={wrong}", f"Cookie: {wrong}", key=wrong)
        gateway.request("POST", JOBS, f"Idempotency-Key: {wrong}", body=b"{}", key=gateway.scoped)
        gateway.request("GET", f"/key/info?key={wrong}")
        gateway.request("POST", "/key/update", body=json.dumps({"key": wrong}).encode())
        gateway.request("GET", f"/v1/nothing/{JOBS}?key={wrong}")
    made = gateway.post("/key/generate", {})["key"]
    rotated = gateway.post("/key/regenerate", {"key": made, "grace_period": "1h"})["key"]
    gateway.request("POST", JOBS, body=b'{"model":"x"}', key=rotated)
    gateway.secrets |= {made, rotated}

    log = gateway.log()

    assert len(gateway.secrets) > 4
    assert [secret for secret in gateway.secrets if secret in log] == []


def test_nor_is_one_in_the_database(gateway, running):
    with patch.dict(os.environ, {"FIRESTORE_EMULATOR_HOST": running.process._env["FIRESTORE_EMULATOR_HOST"]}):
        client = Client(PROJECT)
    stored = str([(each.id, each.to_dict()) for part in client.collections() for each in part.stream()])

    assert "nightly" in stored
    assert [secret for secret in gateway.secrets if secret in stored] == []


def test_every_line_of_the_log_is_json(gateway):
    for line in gateway.log().splitlines():
        assert json.loads(line)["severity"]
