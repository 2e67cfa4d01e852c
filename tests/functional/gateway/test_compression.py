"""Large answers of ours are compressed for clients that take gzip; Vertex AI's stay as they came."""

import gzip
import json

import pytest

from functional.gateway.conftest import JOBS, KEY

AUTH = {"Authorization": f"Bearer {KEY}"}
GZIP = {**AUTH, "Accept-Encoding": "gzip"}
EXPORT = "/v1/costs:export?start_time=2026-11-01T00:00:00Z&end_time=2026-12-01T00:00:00Z"


def test_a_large_answer_is_compressed_and_says_so(world):
    plain = world.client.get("/openapi.json")
    packed = world.client.get("/openapi.json", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 4


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0"])
def test_who_does_not_take_gzip_gets_none(world, accepted):
    answer = world.client.get("/openapi.json", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in answer.headers
    assert json.loads(answer.data)["openapi"]


def test_a_small_answer_is_left_alone(world):
    answer = world.client.get("/health", headers=GZIP)
    assert "Content-Encoding" not in answer.headers
    assert answer.json == {"status": "ok"}


def test_a_file_is_compressed_on_its_way(world):
    plain, packed = world.client.get(EXPORT, headers=AUTH), world.client.get(EXPORT, headers=GZIP)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data != b""


def test_answers_of_vertex_ai_stay_as_they_came(world):
    for _ in range(10):
        world.created()
    answer = world.get(JOBS, headers={"Accept-Encoding": "gzip"})
    assert len(answer.data) > 1024
    assert "Content-Encoding" not in answer.headers
