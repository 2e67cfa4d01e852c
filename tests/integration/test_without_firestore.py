"""The gateway while its database is away."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from builders import prompt
from integration.harness import jobs_path


def test_firestore_is_down(own_system):
    system = own_system
    if system.stack.firestore.process is None:
        pytest.skip("the Firestore emulator is somebody else's")
    known, _, _ = system.run([prompt()])
    news = system.submit([prompt()])
    ended = system.ended_upstream(news)  # of which the gateway has not heard
    creates = len(system.sent_upstream("POST"))
    system.stack.firestore.process.kill()

    def get(path):
        return lambda: system.stack.request("GET", path)

    # Together, as each waits for Firestore a while.
    calls = {
        "create": lambda: system.post([prompt()])[2],
        "known": get(known.path),
        "news": get(news.path),
        "by number": get(f"/v1/{known.name}"),
        "list": get(jobs_path()),
        "cost": get(f"{known.path}/cost"),
        "health": get("/health"),
        "readiness": get("/health/readiness"),
        "event": lambda: system.deliver(f"{ended['outputInfo']['gcsOutputDirectory']}/predictions.jsonl"),
    }
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = dict(zip(calls, pool.map(lambda call: call(), calls.values()), strict=True))

    assert answers["create"].status_code == 503, answers["create"].text
    error = answers["create"].json()["error"]
    assert error["status"] == "UNAVAILABLE"
    assert [each["reason"] for each in error["details"]] == ["BOOKS_UNAVAILABLE"]
    assert answers["create"].headers["Retry-After"].isdigit()
    assert len(system.sent_upstream("POST")) == creates

    # Jobs can be read all the same, by number too: that does not need the books.
    assert answers["known"].json() == answers["by number"].json() == system.upstream_job(known)
    assert answers["news"].json() == ended
    assert answers["list"].json()["batchPredictionJobs"][0] == ended

    assert (answers["cost"].status_code, answers["cost"].json()["error"]["status"]) == (503, "UNAVAILABLE")
    assert answers["health"].status_code == 200
    assert answers["readiness"].status_code == 503
    assert answers["event"] >= 500  # refused, so that it comes again
