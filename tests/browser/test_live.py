"""The page keeps itself up to date, gently, and copes with ten thousand jobs."""

import msgspec
import pytest

from batch_gateway.core.jobs.record import Completion
from batch_gateway.core.pricing.money import format_nano
from browser.seeding import Seeder

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

HIDE = """hidden => {
  Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.fixture
def watcher(visit, seeded):
    """On the jobs page, with a clock of the test's."""
    visitor = visit(seeded.world, clock=True)
    visitor.sign_in(view="jobs")
    expect(visitor.page.locator(".rows .job-row").first).to_be_visible()
    return visitor


def scroll(watcher):
    """Scrolls past 120 newer jobs, once they are there."""
    expect(watcher.page.locator(".rows .job-row").first).to_be_visible()
    watcher.page.locator(".viewport").evaluate("viewport => { viewport.scrollTop = 54 * 122; }")


@pytest.mark.parametrize("newer", [0, 120])
def test_a_job_that_ends_is_seen_without_reloading(watcher, seeded, newer):
    """Also one that is not among the newest."""
    store = seeded.world.store
    if newer:
        seeded.many(newer, minutes=1)
        watcher.page.reload()
    job = next(
        job
        for job in store._jobs.values()
        if job.seen.state == "JOB_STATE_RUNNING" and job.team == "research"
    )
    if newer:
        scroll(watcher)
    row = watcher.page.locator(".rows .job-row", has_text=job.seen.display_name)
    expect(row).to_contain_text("Running")
    seen = msgspec.structs.replace(job.seen, state="JOB_STATE_SUCCEEDED")
    store._jobs[job.key] = msgspec.structs.replace(job, seen=seen, closed=True)
    watcher.page.clock.run_for(16_000)
    expect(row).to_contain_text("Succeeded")
    expect(row.locator(".c-cost .money")).to_have_attribute("title", f"${format_nano(job.cost.amount_nano)}")


def test_the_progress_of_an_older_job_moves_on(watcher, seeded):
    store = seeded.world.store
    seeded.many(120, minutes=1)
    watcher.page.reload()
    job = next(
        job
        for job in store._jobs.values()
        if job.seen.state == "JOB_STATE_RUNNING" and job.team == "research"
    )
    scroll(watcher)
    row = watcher.page.locator(".rows .job-row", has_text=job.seen.display_name)
    expect(row).to_contain_text("93 %")
    seen = msgspec.structs.replace(job.seen, completion=Completion(9_900, 0, 100))
    store._jobs[job.key] = msgspec.structs.replace(job, seen=seen)
    watcher.page.clock.run_for(16_000)
    expect(row).to_contain_text("99 %")


def test_a_new_job_appears_on_top(watcher, seeded):
    kind = ("ads", "ad-policy-review", "gemini-2.5-flash")
    job = seeded.add(seeded.now, kind, "JOB_STATE_PENDING", None, rows=9)
    watcher.page.clock.run_for(16_000)
    expect(watcher.page.locator(".rows .c-name a").first).to_have_text(job.seen.display_name)


def test_a_hidden_page_asks_nothing_and_one_that_is_seen_again_asks_at_once(watcher):
    watcher.page.evaluate(HIDE, arg=True)
    expect(watcher.page.locator(".connection")).to_have_text("Paused")
    asked = watcher.served.asked["/v1/jobs"]
    watcher.page.clock.run_for(600_000)
    assert watcher.served.asked["/v1/jobs"] == asked

    watcher.page.evaluate(HIDE, arg=False)
    watcher.page.clock.run_for(100)
    expect(watcher.page.locator(".connection")).to_have_text("Live")
    watcher.page.wait_for_timeout(300)
    assert watcher.served.asked["/v1/jobs"] > asked


def test_a_gateway_in_trouble_is_asked_less_and_less_often(watcher):
    watcher.served.failing.add("/v1/jobs")
    before = watcher.served.asked["/v1/jobs"]
    for _ in range(40):
        watcher.page.clock.run_for(15_000)
        watcher.page.wait_for_timeout(30)
    assert 2 <= watcher.served.asked["/v1/jobs"] - before <= 8
    expect(watcher.page.locator(".connection")).to_have_text("Trying again")
    expect(watcher.page.locator(".rows .job-row").first).to_be_visible()
    watcher.allows("Failed to load resource")


def test_leaving_a_view_ends_its_questions(watcher):
    watcher.page.get_by_role("link", name="Estimate").click()
    expect(watcher.page.get_by_label("Project")).not_to_have_value("")
    asked = watcher.served.asked["/v1/jobs"]
    watcher.page.clock.run_for(300_000)
    assert watcher.served.asked["/v1/jobs"] == asked


SCROLL = """async () => {
  const viewport = document.querySelector('.viewport');
  let last = performance.now(), slowest = 0, most = 0, frames = 0;
  const began = last;
  while (frames < 40) {
    viewport.scrollTop += 900;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    slowest = Math.max(slowest, now - last);
    most = Math.max(most, document.querySelectorAll('.rows .job-row').length);
    last = now;
    frames += 1;
  }
  return { mean: (last - began) / frames, slowest, most };
}"""


def test_ten_thousand_jobs_scroll(visit, empty, vertex_server, measured):
    Seeder(empty, vertex_server).many(10_000)
    visitor = visit(empty)
    visitor.sign_in(view="jobs?since=all")
    page = visitor.page
    expect(page.locator(".pager")).to_contain_text("of 250+")
    first = visitor.served.asked["/v1/jobs"]
    # Two of the list, and for the sum one of each state under way.
    assert first <= 8

    page.get_by_role("columnheader", name="Name").get_by_role("button").click()
    expect(page.locator(".pager")).to_contain_text("of 10,000")
    found = page.evaluate(SCROLL)
    measured("frames while scrolling 10,000 jobs, ms", found)
    assert found["most"] < 60
    page.locator(".viewport").evaluate("viewport => { viewport.scrollTop = viewport.scrollHeight; }")
    expect(page.locator('.rows [aria-rowindex="10001"]')).to_be_visible()
    expect(page.locator(".pager")).to_contain_text("Page 100 of 100")
    page.wait_for_url("**page=100*")
    page.reload()
    expect(page.locator(".pager")).to_contain_text("Page 100 of 100")
    page.get_by_role("button", name="Page before").click()
    expect(page.locator(".pager")).to_contain_text("Page 99 of 100")
