"""The operator's prices on two gateways at once, and on the settlement."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
import requests

from builders import prompt
from functions_process import function_process
from integration.conftest import QUICK_PRICES
from integration.harness import nano
from integration.recounting import expected_by_recount
from patience import PATIENCE
from processes import free_ports, wait_until


@pytest.fixture
def other_url(own_system, tmp_path):
    """A second gateway on the same books."""
    (port,) = free_ports(1)
    stack = own_system.stack
    process = function_process(
        "gateway",
        "http",
        port,
        env=stack.gateway._env,
        logs=tmp_path,
        source=QUICK_PRICES,
        health="/health/readiness",
    )
    process.start()
    try:
        process.wait_ready()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stop()


def test_two_gateways_agree_and_settlement_with_them(own_system, other_url):
    stack = own_system.stack

    def call(url, method, path, **given):
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {stack.master_key}"}
            answer = session.request(method, f"{url}{path}", headers=headers, timeout=120, **given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    urls = [stack.gateway_url, other_url]
    (before,) = {call(url, "GET", "/v1/prices")["priceTable"] for url in urls}
    names = ["publishers/google", "publishers/anthropic"]

    def discount(url, name):
        return call(url, "PUT", f"/v1/prices/{name}", json={"discount": "0.07"})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(discount, urls, names))

    def agree():
        found = [call(url, "GET", "/v1/prices?model=gemini-3.5-flash&location=global") for url in urls]
        (one, other) = [(each["priceTable"], each["overrides"], each["prices"]) for each in found]
        return one if one == other else None

    # Each sees what the other has set when what it read itself is no longer good.
    version, overrides, (entry,) = wait_until(agree, PATIENCE, "both gateways to have the same prices")
    assert version.startswith(f"{before}+")
    assert [each["name"] for each in overrides] == sorted(names)
    assert entry["discount"] == "0.07"
    rows = [prompt(f"Question {number}: {'why? ' * number}") for number in range(9)]
    job, cost, output = own_system.run(rows, model="gemini-3.5-flash", location="global")
    assert cost["priceTable"] == version
    # Rounded once, halves to even, here and there.
    assert nano(cost["amount"]) == round(Fraction(expected_by_recount(output)) * 93 * 10**7)
    assert all(call(url, "GET", f"{job.path}/cost")["amount"] == cost["amount"] for url in urls)
