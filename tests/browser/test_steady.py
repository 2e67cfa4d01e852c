"""A poll that lands takes nothing away: not the focus, not what is being typed, not the place on the page."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.core.jobs.record import Completion
from browser.seeding import FLASH
from patience import PATIENCE

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect

FOCUSED = "document.activeElement.textContent || document.activeElement.getAttribute('aria-label')"


@pytest.fixture
def look(visit, seeded):
    """Opens a view with a clock of the test's, in a small window."""

    def open_view(view, **options):
        visitor = visit(seeded.world, height=600, clock=True, **options)
        visitor.sign_in(view=view)
        expect(visitor.page.locator("[aria-busy]")).to_have_count(0)
        return visitor

    return open_view


def poll(visitor, seeded, path, seconds):
    """Changes every job under way, and lets the page ask again."""
    store = seeded.world.store
    for job in list(store._jobs.values()):
        if job.seen.completion and not job.seen.terminal:
            seen = msgspec.structs.replace(job.seen, completion=Completion(990_000, 0, 10_000))
            store._jobs[job.key] = msgspec.structs.replace(job, seen=seen)
    before = visitor.served.asked[path]
    # An answer that is still on its way puts the next question off.
    for _ in range(round(PATIENCE)):
        visitor.page.clock.run_for(1000 * seconds)
        if visitor.served.asked[path] > before:
            break
    assert visitor.served.asked[path] > before


@pytest.mark.parametrize(
    ("view", "stops", "path"),
    [
        ("overview", ".running a", "/v1/jobs"),
        ("jobs", ".rows .job-row a", "/v1/jobs"),
        ("keys", ".owners .button", "/team/list"),
    ],
)
def test_a_walk_by_keyboard_goes_on_after_a_poll(look, seeded, view, stops, path):
    visitor = look(view)
    page = visitor.page
    page.locator(stops).first.focus()
    walked = []
    for _ in range(3):
        walked.append(page.evaluate(FOCUSED))
        poll(visitor, seeded, path, 61)
        if view != "keys":
            expect(page.locator("main").get_by_text("99 %").first).to_be_visible()
        assert page.evaluate(FOCUSED) == walked[-1]
        page.keyboard.press("Tab")
    walked.append(page.evaluate(FOCUSED))
    assert len(set(walked)) == len(walked)
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_the_focus_is_not_lost_with_a_new_job_above_it(look, seeded):
    visitor = look("jobs")
    page = visitor.page
    link = page.locator(".rows .job-row a").nth(1)
    name = link.inner_text()
    link.focus()
    job = seeded.add(seeded.now, ("ads", "ad-policy-review", FLASH), "JOB_STATE_PENDING", None, rows=9)
    poll(visitor, seeded, "/v1/jobs", 16)
    expect(page.locator(".rows .c-name a").first).to_have_text(job.seen.display_name)
    assert page.evaluate(FOCUSED) == name


def test_the_focus_goes_to_the_list_when_its_row_goes_out_of_sight(look):
    page = look("jobs").page
    page.locator(".rows .job-row a").first.focus()
    page.locator(".viewport").evaluate("viewport => { viewport.scrollTop = viewport.scrollHeight; }")
    page.clock.run_for(100)
    expect(page.locator(".viewport")).to_be_focused()


def test_a_composition_is_not_disturbed(look, seeded):
    """Text composed by an input method becomes a search when it is a word, and not before."""
    visitor = look("jobs")
    page = visitor.page
    box = page.get_by_role("searchbox", name="Search")
    box.focus()
    keyboard = page.context.new_cdp_session(page)
    for text in ("に", "にほ", "にほん"):
        keyboard.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
        )
        poll(visitor, seeded, "/v1/jobs", 16)
        assert "search=" not in page.url
        expect(box).to_have_value(text)
    keyboard.send("Input.insertText", {"text": "日本"})
    page.clock.run_for(1000)
    expect(box).to_have_value("日本")
    expect(box).to_be_focused()
    page.wait_for_url("**search=%E6%97%A5%E6%9C%AC*")


def test_a_dialog_is_not_disturbed_and_gives_the_focus_back(look, seeded):
    """Text and choices in it stay, also while they are composed, and the page behind it goes on."""
    visitor = look("keys")
    page = visitor.page
    page.get_by_role("button", name="Edit ticket-triage").click()
    page.get_by_label("Role").select_option("viewer")
    page.get_by_label("Team", exact=True).select_option("ads")
    box = page.get_by_label("Owner")
    box.focus()
    keyboard = page.context.new_cdp_session(page)
    for text in ("や", "やま"):
        keyboard.send(
            "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
        )
        poll(visitor, seeded, "/key/list", 61)
        expect(box).to_have_value(text)
        expect(box).to_be_focused()
    keyboard.send("Input.insertText", {"text": "山田"})
    poll(visitor, seeded, "/key/list", 61)
    expect(page.get_by_label("Team", exact=True)).to_have_value("ads")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".owners li", has_text="山田")).to_contain_text("Read only")
    poll(visitor, seeded, "/key/list", 61)
    expect(page.get_by_role("button", name="Edit ticket-triage")).to_be_focused()


@pytest.mark.parametrize(
    ("view", "label", "time"),
    [
        ("overview?from={from}&until={until}", "First day", ""),
        ("jobs?from={from}&until={until}", "Created from", "T00:00"),
    ],
)
def test_a_date_is_typed_in_peace_and_counts_when_it_is_whole(look, seeded, view, label, time):
    today = seeded.now.replace(hour=0, minute=0, second=0, microsecond=0)
    day = {"from": today - timedelta(days=6), "until": today + timedelta(days=1)}
    visitor = look(view.format(**{name: int(each.timestamp()) for name, each in day.items()}))
    page = visitor.page
    field = page.get_by_label(label, exact=True)
    address, before = page.url, f"{day['from']:%Y-%m-%d}{time}"
    expect(field).to_have_value(before)
    field.focus()
    # The same in the order of any country.
    page.keyboard.type("0505", delay=60)
    poll(visitor, seeded, "/v1/jobs", 61)
    page.keyboard.type("20", delay=60)
    poll(visitor, seeded, "/v1/jobs", 61)
    assert page.evaluate("document.activeElement.value") == f"0020-05-05{time}"
    page.keyboard.press("Enter")
    assert page.url == address, "a year of two digits took effect"
    page.keyboard.type(f"{today.year - 1}", delay=60)
    assert page.url == address
    page.keyboard.press("Enter")
    expect(field).to_be_focused()
    expect(field).to_have_value(f"{today.year - 1}-05-05{time}")
    first = int(datetime(today.year - 1, 5, 5, tzinfo=UTC).timestamp())
    assert f"from={first}&" in page.url

    # What is left half typed gives way; what is whole counts, also without Enter.
    address = page.url
    field.evaluate("field => field.blur()")
    field.focus()
    page.keyboard.press("Backspace")
    poll(visitor, seeded, "/v1/jobs", 61)
    expect(field).to_have_value("")
    field.evaluate("field => field.blur()")
    expect(field).to_have_value(f"{today.year - 1}-05-05{time}")
    assert page.url == address
    field.focus()
    page.keyboard.type("0606", delay=60)
    field.evaluate("field => field.blur()")
    page.wait_for_url(f"**from={first + 32 * 86_400}&*")
    page.go_back()
    expect(field).to_have_value(f"{today.year - 1}-05-05{time}")


def test_the_place_on_the_page_stays(look, seeded):
    visitor = look("overview", width=1000)
    page = visitor.page
    page.evaluate("scrollTo(0, 900)")
    poll(visitor, seeded, "/v1/jobs", 61)
    expect(page.locator(".running").get_by_text("99 %").first).to_be_visible()
    assert page.evaluate("scrollY") == 900


def test_the_place_in_a_list_and_what_is_open_stay(look, seeded):
    visitor = look("jobs")
    page = visitor.page
    page.wait_for_function("() => document.querySelector('.viewport').scrollHeight > 2000")
    page.locator(".viewport").evaluate("viewport => { viewport.scrollTop = 1000; }")
    poll(visitor, seeded, "/v1/jobs", 16)
    assert page.locator(".viewport").evaluate("viewport => viewport.scrollTop") == 1000

    job = next(job for job in seeded.world.store._jobs.values() if job.seen.completion)
    visitor.open(f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
    page.get_by_text("The job as JSON").click()
    page.locator("pre").evaluate("pre => { pre.scrollTop = 120; }")
    poll(visitor, seeded, f"/v1/{job.key.path}/cost", 16)
    expect(page.locator("pre")).to_be_visible()
    assert page.locator("pre").evaluate("pre => pre.scrollTop") == 120


def test_sorting_asks_for_nothing_again(look):
    visitor = look("jobs")
    page = visitor.page
    expect(page.locator(".pager")).to_contain_text("of 2")
    expect(page.locator(".pager")).not_to_contain_text("+")
    before = visitor.served.asked["/v1/jobs"]
    created = page.get_by_role("columnheader", name="Created")
    newest = page.locator(".rows .c-name a").first.inner_text()
    expect(created).to_have_text("Created ↓")
    expect(created).to_have_attribute("aria-sort", "descending")
    created.get_by_role("button").click()
    expect(created).to_have_text("Created ↑")
    expect(created).to_have_attribute("aria-sort", "ascending")
    created.get_by_role("button").click()
    expect(created).to_have_text("Created ↓")
    expect(page.locator(".rows .c-name a").first).to_have_text(newest)
    page.get_by_role("columnheader", name="Cost").get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="Cost")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("columnheader", name="Name").get_by_role("button").click()
    expect(page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    assert visitor.served.asked["/v1/jobs"] == before


def test_back_online_is_back_at_once(look):
    visitor = look("overview")
    page = visitor.page
    page.context.set_offline(True)
    page.clock.run_for(61_000)
    expect(page.locator(".connection")).to_have_text("Trying again")
    for _ in range(6):
        page.clock.run_for(60_000)
    page.context.set_offline(False)
    expect(page.locator(".connection")).to_have_text("Live")
    visitor.allows("Failed to load resource")
