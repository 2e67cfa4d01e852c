"""Filters, links and times give the answers that they promise; what others wrote does no harm."""

import csv
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from batch_gateway.core.jobs.record import Completion
from batch_gateway.core.pricing.money import format_nano
from browser import browsing
from browser.seeding import FLASH, PRO, Seeder, usage_of
from browser.serving import Served
from functional.gateway.conftest import KEY, World

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


def records(seeded):
    return list(seeded.world.store._jobs.values())


class TestFilters:
    def test_a_label_is_picked_by_name_and_value(self, reader, books):
        reader.open("jobs")
        page = reader.page
        expect(page.locator(".rows .job-row").first).to_be_visible()
        page.get_by_label("Label", exact=True).select_option("environment")
        expect(page.get_by_text("Choose a value of the label environment")).to_be_visible()
        expect(page.locator(".rows .job-row")).to_have_count(0)
        expect(page.locator(".pager")).to_have_text("")
        page.get_by_label("Value of environment").select_option("staging")
        expect(page.locator(".rows .job-row").first).to_be_visible()
        names = {
            job.seen.display_name for job in records(books) if job.seen.labels["environment"] == "staging"
        }
        assert set(page.locator(".rows .c-name a").all_inner_texts()) <= names
        page.get_by_label("Label", exact=True).select_option("")
        page.wait_for_url(lambda url: "label=" not in url)

    @pytest.mark.parametrize(
        ("picker", "value", "of"),
        [
            ("Model", "gemini-2.5-pro", lambda job: job.seen.model.rpartition("/")[2]),
            ("Team", "ads", lambda job: job.team),
            ("Key", "ticket-triage", lambda job: job.api_key),
        ],
    )
    def test_what_there_is_can_be_picked(self, reader, books, picker, value, of):
        reader.open("jobs?since=all")
        page = reader.page
        page.get_by_label(picker, exact=True).select_option(value)
        number = sum(of(job) == value for job in records(books))
        expect(page.locator(".pager")).to_contain_text(f"of {number} ")

    def test_nothing_found_has_one_page(self, reader):
        reader.open("jobs?search=there-is-no-such-job")
        expect(reader.page.get_by_text("No job fits these filters")).to_be_visible()
        expect(reader.page.locator(".pager")).to_contain_text("Page 1 of 1")
        expect(reader.page.locator(".pager")).not_to_contain_text("+")
        expect(reader.page.get_by_role("button", name="Next page")).to_be_disabled()


class TestLinks:
    @pytest.fixture
    def page(self, reader):
        reader.open("overview?team=ads&range=7d")
        return reader.page

    @pytest.mark.parametrize(
        ("card", "link", "state"),
        [
            ("Running now", "All under way", "under-way"),
            ("Latest failures", "All of them", "wrong"),
            ("Cost by model", "gemini-2.5-flash", None),
        ],
    )
    def test_they_keep_team_and_time(self, page, card, link, state):
        page.get_by_role("region", name=card).get_by_role("link", name=link, exact=True).click()
        expect(page.get_by_label("Team", exact=True)).to_have_value("ads")
        expect(page.get_by_label("Created within")).to_have_value("7d")
        if state:
            expect(page.get_by_label("State")).to_have_value(state)

    def test_a_number_of_failed_jobs_leads_to_that_many(self, reader):
        page = reader.page
        reader.open("overview")
        row = page.get_by_role("region", name="Failed and wasted").locator(".pairs > div").nth(1)
        number = row.locator("dd").inner_text()
        assert int(number) > 0
        row.get_by_role("link").click()
        expect(page.locator(".pager")).to_contain_text(f"of {number} ")


class TestTimes:
    def test_all_are_in_one_zone_which_the_page_names(self, visit, empty, vertex_server):
        seeder = Seeder(empty, vertex_server)
        job = seeder.add(
            seeder.now.replace(hour=3, minute=30) - timedelta(days=2),
            (None, "adhoc", FLASH),
            "JOB_STATE_SUCCEEDED",
            usage_of(1000, FLASH),
        )
        visitor = visit(empty, timezone_id="Asia/Kathmandu")
        asked = []
        visitor.page.on("request", lambda request: asked.append(request.url))
        visitor.sign_in(view="jobs")
        page = visitor.page
        expect(page.locator(".rows .c-age")).to_have_text(re.compile(rf"^{job.create_time.day} \w+ 03:30"))
        page.get_by_role("button", name="Times in UTC").click()
        expect(page.get_by_role("button", name="Times in UTC+05:45")).to_be_visible()
        expect(page.locator(".rows .c-age")).to_have_text(re.compile(rf"^{job.create_time.day} \w+ 09:15"))
        page.get_by_role("link", name="Overview", exact=True).click()
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        zones = {re.search("time_zone=([^&]*)", url)[1] for url in asked if "/v1/costs?" in url}
        assert zones == {"%2B05%3A45"}
        page.get_by_role("button", name="Yesterday", exact=True).click()
        page.get_by_role("button", name="Dates", exact=True).click()
        page.wait_for_url(lambda url: "until=" in url)
        first, last = (int(each) % 86_400 for each in re.findall(r"(?:from|until)=(\d+)", page.url))
        assert first == last == 18 * 3600 + 15 * 60, "midnight in Kathmandu"
        page.reload()
        expect(page.get_by_role("button", name="Times in UTC+05:45")).to_be_visible()

    def test_a_queued_job_waits_and_does_not_run(self, reader, books):
        job = next(job for job in records(books) if job.seen.state == "JOB_STATE_PENDING")
        reader.open(f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
        expect(reader.page.get_by_role("region", name="Waiting for")).to_contain_text("not started yet")
        expect(reader.page.locator("main")).not_to_contain_text("Running for")


def test_a_job_that_failed_without_output_claims_nothing_good(admin, seeded):
    error = {"code": 8, "message": "The job ran out of quota."}
    job = seeded.add(
        seeded.now,
        ("ads", "ad-policy-review", FLASH),
        "JOB_STATE_FAILED",
        None,
        rows=9,
        error=error,
        end_time=seeded.now,
    )
    page = admin.page
    admin.open(f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
    expect(page.get_by_text("The job ended without output")).to_be_visible()
    for text in ("Nothing failed", "No errors", "No usage", "yet", "Running for"):
        expect(page.locator("main")).not_to_contain_text(text)
    admin.open("jobs?state=wrong")
    expect(page.locator(".rows .c-labels", has_text="ran out of quota").first).to_be_visible()


def test_a_job_that_failed_with_output_says_which_rows_its_output_leaves_out(visit, empty, vertex_server):
    seeder = Seeder(empty, vertex_server)
    error = {"code": 13, "message": "The job failed."}
    visitor = visit(empty)
    visitor.sign_in()
    for content, text in [
        (usage_of(50, FLASH), "No row in it failed, and no answer was blocked or cut off. 450 rows of 500"),
        (
            usage_of(300, FLASH, failed=4),
            "Failed rows are free. 200 rows of 500 are not in the output: not run",
        ),
    ]:
        kind, ended = ("ads", "x", FLASH), {"end_time": seeder.now, "error": error}
        created = seeder.now - timedelta(minutes=content.rows.total)
        job = seeder.add(created, kind, "JOB_STATE_FAILED", content, rows=500, **ended)
        seen = msgspec.structs.replace(
            job.seen, completion=Completion(content.rows.total, 0, 500 - content.rows.total)
        )
        empty.store._jobs[job.key] = msgspec.structs.replace(job, seen=seen)
        visitor.open(f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
        waste = visitor.page.get_by_role("region", name="Errors and waste")
        expect(waste).to_contain_text(text)
        expect(waste).not_to_contain_text("No errors")


class TestWhatOthersWrote:
    def test_a_file_runs_nothing(self, admin, seeded):
        names = ["-2+3+cmd|' /C calc'!A0", "=1+1", "@SUM(A1)", "\N{FULLWIDTH EQUALS SIGN}1+1", "\tx", "-12.5"]
        jobs = records(seeded)[-len(names) :]
        for job, name in zip(jobs, names, strict=True):
            seen = msgspec.structs.replace(job.seen, display_name=name)
            seeded.world.store._jobs[job.key] = msgspec.structs.replace(job, seen=seen)
        admin.open("jobs?since=all")
        expect(admin.page.locator(".rows .job-row").first).to_be_visible()
        with admin.page.expect_download():
            admin.page.get_by_role("button", name="CSV").click()
        rows = list(csv.DictReader(browsing.offered(admin.page).splitlines()))
        shown = {row["display_name"] for row in rows}
        assert shown >= {f"'{name}" for name in names[:-1]} | {"-12.5"}

    def test_a_name_that_is_written_from_right_to_left_turns_nothing_round(self, admin, seeded):
        job = records(seeded)[-1]
        name = "evil\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\N{DELETE}"
        seen = msgspec.structs.replace(job.seen, display_name=name)
        seeded.world.store._jobs[job.key] = msgspec.structs.replace(job, seen=seen)
        seeded.vertex._store._jobs[seen.name].body["displayName"] = name
        admin.open("jobs")
        shown = "evil\N{REPLACEMENT CHARACTER}gnp.exe\N{REPLACEMENT CHARACTER}"
        link = admin.page.get_by_role("link", name=shown)
        expect(link).to_have_attribute("title", shown)
        expect(link.locator("bdi")).to_have_css("unicode-bidi", "isolate")
        link.click()
        expect(admin.page.locator("h1 bdi")).to_have_text(shown)
        expect(admin.page).to_have_title(f"{shown} · Batch Gateway")


class TestTabs:
    @pytest.fixture
    def admin(self, admin):
        admin.open("overview")
        admin.page.locator("header.top").wait_for()
        return admin

    def test_a_second_tab_asks_for_no_key_and_nothing_is_on_disk(self, admin):
        page = admin.page
        second = page.context.new_page()
        second.goto(f"{admin.served.url}/dashboard#/jobs")
        expect(second.locator("header.top")).to_contain_text("Administrator")
        expect(second.locator(".rows .job-row").first).to_be_visible()
        for tab in (page, second):
            assert KEY not in tab.evaluate("JSON.stringify(localStorage) + document.cookie")
            assert tab.evaluate("indexedDB.databases().then(all => all.length)") == 0
            assert tab.evaluate("caches.keys().then(all => all.length)") == 0

        second.get_by_role("button", name="Sign out").click()
        for tab in (page, second):
            expect(tab.get_by_label("API key")).to_be_visible()
        page.reload()
        expect(page.get_by_label("API key")).to_be_visible()

    def test_a_tab_that_is_shown_out_does_not_come_in_by_another(self, admin):
        second = admin.page.context.new_page()
        second.goto(f"{admin.served.url}/dashboard")
        expect(second.locator("header.top")).to_be_visible()
        second.evaluate("dispatchEvent(new CustomEvent('keyrefused', { detail: 'This key is disabled.' }))")
        expect(second.get_by_role("alert")).to_have_text("This key is disabled.")
        expect(admin.page.locator("header.top")).to_be_visible()

    def test_another_origin_gets_nothing(self, admin, vertex_server):
        with Served(World(vertex_server.host).client.application) as other:
            page = admin.page.context.new_page()
            page.goto(f"{other.url}/dashboard")
            expect(page.get_by_label("API key")).to_be_visible()
            page.evaluate(
                """() => { window.heard = [];
                const tabs = new BroadcastChannel('batch-gateway-tabs');
                tabs.onmessage = ({ data }) => window.heard.push(data.type);
                tabs.postMessage({ type: 'asked' }); }"""
            )
            third = admin.page.context.new_page()
            third.goto(f"{admin.served.url}/dashboard")
            expect(third.locator("header.top")).to_be_visible()
            assert "given" not in page.evaluate("window.heard")


def test_a_secret_is_not_lost_by_escape(admin):
    admin.open("keys")
    page = admin.page
    page.get_by_role("button", name="Rotate ticket-triage").click()
    page.get_by_role("button", name="Rotate", exact=True).click()
    secret = page.locator("output.secret")
    expect(secret).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Escape")
    expect(secret).to_be_visible()
    expect(page.locator("dialog .button.primary")).to_have_count(1)
    page.get_by_role("button", name="I have copied it").click()
    expect(page.locator("dialog")).to_have_count(0)


def test_an_overview_of_eleven_thousand_jobs_is_small(visit, empty, vertex_server, measured):
    seeder = Seeder(empty, vertex_server)
    seeder.owners()
    seeder.month()
    seeder.many(11_000, minutes=3)
    visitor = visit(empty, alone=True)
    session = visitor.page.context.new_cdp_session(visitor.page)
    addresses, sizes = {}, {}
    session.on("Network.requestWillBeSent", lambda e: addresses.update({e["requestId"]: e["request"]["url"]}))
    session.on("Network.loadingFinished", lambda e: sizes.update({e["requestId"]: e["encodedDataLength"]}))
    session.send("Network.enable")
    visitor.sign_in()
    expect(visitor.page.locator("[aria-busy]")).to_have_count(0)
    failed = visitor.page.get_by_role("region", name="Failed and wasted").locator("dd").nth(1)
    assert int(failed.inner_text()) >= 11_000 // 37
    data = sum(size for each, size in sizes.items() if "/dashboard/" not in addresses[each])
    measured("answers for an overview of 11,000 jobs, bytes", data)
    assert data < 100_000


def test_bars_are_seen_in_forced_colours(visit, seeded):
    visitor = visit(seeded.world, forced="active")
    visitor.sign_in()
    part = visitor.page.locator(".ranking .bar span").first
    ground = visitor.page.locator(".ranking .bar").first
    expect(part).to_be_visible()
    colour = "element => getComputedStyle(element).backgroundColor"
    for scheme in ("light", "dark"):
        visitor.page.emulate_media(color_scheme=scheme)
        assert part.evaluate(colour) != ground.evaluate(colour), scheme


@pytest.fixture
def cut_at(reader):
    """Returns the tallest bar that is not cut, by the dashboard's own rule."""
    reader.open("estimate")
    find = """async (heights) => {
        const main = document.querySelector('script[type=module]').src;
        const found = (await import(new URL('cutbars.js', main))).tallestUncut(heights.map(BigInt));
        return found === null ? null : Number(found);
    }"""
    return lambda heights: reader.page.evaluate(find, heights)


@pytest.fixture(scope="module")
def jump(new_books):
    """Six jobs of yesterday that another model and label made dear."""

    def fill(seeder):
        yesterday = seeder.now - timedelta(days=1)
        for back in range(1, 14):
            created = seeder.now - timedelta(days=back)
            seeder.add(created, (None, "adhoc", FLASH), "JOB_STATE_SUCCEEDED", usage_of(1000, FLASH))
        for _ in range(6):
            seeder.add(yesterday, (None, "moved", PRO), "JOB_STATE_SUCCEEDED", usage_of(9000, PRO))

    return new_books(fill)


class TestWhyDidItJump:
    @pytest.fixture
    def page(self, reader_of, jump):
        reader = reader_of(jump)
        reader.open("overview?range=7d")
        return reader.page

    def test_the_largest_change_comes_first_and_leads_to_its_jobs(self, page):
        changes = page.get_by_role("region", name="Largest changes").locator("li")
        expect(changes.first).to_contain_text(PRO)
        expect(changes.first).to_contain_text("+$")
        expect(changes.first).to_contain_text("new")
        expect(changes.nth(1)).to_contain_text(FLASH)
        expect(changes.nth(1)).to_contain_text(re.compile(r"\d+ %"))
        page.get_by_label("Stacked by", exact=True).select_option("label:")
        page.get_by_label("Stacked by: label").select_option("pipeline")
        expect(changes.first).to_contain_text("moved")
        changes.first.get_by_role("link").click()
        expect(page.get_by_label("Value of pipeline")).to_have_value("pipeline=moved")
        expect(page.locator(".pager")).to_contain_text("of 6 ")

    def test_a_bar_opens_the_jobs_behind_it(self, page):
        box = page.locator(".chart .u-over").bounding_box()
        page.locator(".chart .u-over").click(position={"x": box["width"] * 5.6 / 7.2, "y": box["height"] / 2})
        expect(page.get_by_label("Model", exact=True)).to_have_value(PRO)
        expect(page.locator(".pager")).to_contain_text("of 6 ")

    def test_one_tall_bar_is_cut_and_says_so_so_that_the_others_can_be_read(self, page, jump):
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        spent = sum(job.cost.amount_nano for job in records(jump) if job.create_time.date() == yesterday)
        card = page.get_by_role("region", name="Spend over time")
        expect(card).to_contain_text(f"One bar is cut: {yesterday:%a, {yesterday.day} %b %Y} is $")
        expect(card.locator(".help .money")).to_have_attribute("title", f"${format_nano(spent)}")
        over = page.locator(".chart .u-over")
        box = over.bounding_box()
        half = {"x": box["width"] * 3.6 / 7.2, "y": box["height"] / 2}
        card.get_by_role("button", name="Show in full").click()
        expect(card.get_by_role("button", name="Cut the tallest bars")).to_be_visible()
        expect(card).not_to_contain_text("is cut")
        over.click(position=half)
        assert "bars=full" in page.url, "there is no bar so far up"
        page.reload()
        card.get_by_role("button", name="Cut the tallest bars").click()
        expect(card).to_contain_text("One bar is cut")
        over.click(position=half)
        expect(page.locator(".pager")).to_contain_text("of 1 ")

    @pytest.mark.parametrize(
        ("heights", "tallest"),
        [
            ([150_000, 120, 6_000, 0, 150, 140], 150),
            ([6_000, 150, 140, 120], 150),
            ([700, 150, 140, 120], None),
            ([6_000, 150, 140], None),
            ([9_000, 9_000, 9_000, 9_000, 150, 140, 120], None),
            ([0, 0, 0, 0, 0], None),
        ],
    )
    def test_at_most_three_bars_are_cut_that_are_far_taller_than_the_next(self, cut_at, heights, tallest):
        assert cut_at(heights) == tallest

    def test_so_does_a_figure_for_those_who_have_no_pointer(self, page):
        page.get_by_text("The figures as a table").click()
        row = page.get_by_role("table", name="Spend over time").get_by_role("row").nth(2)
        row.get_by_role("link").last.focus()
        page.keyboard.press("Enter")
        expect(page.locator(".pager")).to_contain_text("of 7 ")
        day = page.get_by_label("Created from").input_value()
        assert day == f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}T00:00"
        page.get_by_label("Created before").fill(day.replace("T00:00", "T00:01"))
        page.get_by_label("Created before").press("Enter")
        expect(page.get_by_text("No job fits these filters")).to_be_visible()
        page.get_by_label("Created within").select_option("7d")
        expect(page.locator(".pager")).to_contain_text("of 1")

    def test_a_group_of_the_legend_opens_its_jobs_by_keyboard_too(self, page):
        legend = page.locator(".legend li", has_text=PRO)
        legend.get_by_role("button").click()
        expect(page.locator(".legend .off")).to_have_text(re.compile(PRO))
        legend.get_by_role("link").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("Model", exact=True)).to_have_value(PRO)
        expect(page.get_by_label("Created within")).to_have_value("7d")
        expect(page.locator(".pager")).to_contain_text("of 6 ")

    def test_yesterday_and_any_days_are_a_range_that_links_carry_along(self, page):
        page.get_by_role("region", name="Today").get_by_role("link", name="Yesterday").click()
        expect(page.get_by_role("button", name="Yesterday", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
        expect(page.get_by_role("region", name="Largest changes")).to_contain_text("Against the day before")
        page.get_by_text("The figures as a table").click()
        expect(page.get_by_role("table", name="Spend over time").get_by_role("row")).to_have_count(25)

        page.get_by_role("button", name="Dates", exact=True).click()
        days = [f"{datetime.now(UTC) - timedelta(days=back):%Y-%m-%d}" for back in range(4)]
        expect(page.get_by_label("First day")).to_have_value(days[1])
        expect(page.get_by_label("Last day")).to_have_value(days[1])
        expect(page.get_by_role("region", name="Cost by model")).to_contain_text(PRO)
        page.get_by_label("Last day").fill(days[2])
        page.get_by_label("First day").fill(days[3])
        models = page.get_by_role("region", name="Cost by model").locator("li")
        expect(models).to_have_count(1)
        expect(models).to_contain_text(FLASH)
        models.get_by_role("link").click()
        expect(page.get_by_label("Created from")).to_have_value(f"{days[3]}T00:00")
        expect(page.get_by_label("Created before")).to_have_value(f"{days[1]}T00:00")
        expect(page.locator(".pager")).to_contain_text("of 2 ")
        page.go_back()
        expect(page.get_by_label("First day")).to_have_value(days[3])

    def test_changes_of_many_months_and_of_many_years_are_shown(self, page, jump):
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        spent = f"${format_nano(sum(job.cost.amount_nano for job in records(jump)))}"
        end = today + timedelta(days=1)
        for first in (end - timedelta(days=301), today.replace(year=2001, month=1, day=1)):
            address = f"overview?from={first.timestamp():.0f}&until={end.timestamp():.0f}"
            page.evaluate("address => { location.hash = `#/${address}`; }", address)
            card = page.get_by_role("region", name="Largest changes")
            expect(card).to_contain_text(f"Against the {(end - first).days} days before")
            expect(card.locator(".all b .money")).to_have_attribute("title", spent)
        period = f"1 Jan 2001 to {today.day} {today:%b %Y}"
        expect(page.get_by_role("region", name="Cost by model")).to_contain_text(period)

    def test_the_most_expensive_jobs_and_labels_are_named(self, page, jump):
        jobs = page.get_by_role("region", name="Most expensive jobs")
        expect(jobs.locator("li")).to_have_count(6)
        amounts = {job.seen.display_name: job.cost.amount_nano for job in records(jump)}
        shown = jobs.locator("li").first
        name, title = shown.get_by_role("link").inner_text(), shown.locator(".money").get_attribute("title")
        assert title == f"${format_nano(max(amounts.values()))}"
        assert amounts[name] == max(amounts.values())
        expect(shown).to_contain_text("master")
        page.get_by_label("Ranked by").select_option("label:")
        page.get_by_label("Ranked by: label").select_option("pipeline")
        ranking = page.get_by_role("region", name="Cost by pipeline").locator("li")
        expect(ranking).to_have_count(2)
        ranking.first.get_by_role("link", name="moved").click()
        expect(page.get_by_label("Value of pipeline")).to_have_value("pipeline=moved")
        expect(page.get_by_label("Created within")).to_have_value("7d")
        page.go_back()
        expect(page.get_by_label("Ranked by: label")).to_have_value("pipeline")
        ids = {job.key.job_id for job in records(jump) if job.seen.display_name == name}
        assert jobs.get_by_role("link", name=name).first.get_attribute("href").rpartition("/")[2] in ids


class Counted:
    """A page that is used by clicks and choices, which are counted."""

    def __init__(self, page):
        self.page = page
        self.number = 0

    def click(self, locator):
        self.number += 1
        locator.click()

    def choose(self, label, value):
        self.number += 1
        self.page.get_by_label(label, exact=True).select_option(value)

    def done(self, most):
        """Ends a question, and goes back to where the next one begins."""
        assert self.number <= most
        self.number = 0
        self.page.goto(f"{self.page.url.partition('#')[0]}#/overview")
        expect(self.page.get_by_label("Stacked by", exact=True)).to_have_value("model")
        expect(self.page.locator("[aria-busy]")).to_have_count(0)


def test_what_a_team_asks_in_the_morning_takes_three_clicks_at_most(visit, seeded):
    """Yesterday ad-policy-review was moved to another model, and a key without a team began to spend."""
    when = (seeded.now - timedelta(days=1)).replace(hour=12)
    moved = [
        seeded.add(
            when - timedelta(seconds=at),
            ("ads", "ad-policy-review", PRO),
            "JOB_STATE_SUCCEEDED",
            usage_of(60_000, PRO, failed=3),
            labels={"prompt_version": "v3", "run": str(at)},
        )
        for at in range(6)
    ]
    for at in range(12):
        leak, content = (None, "adhoc-notebooks", FLASH), usage_of(50_000, FLASH)
        created = when - timedelta(seconds=at)
        seeded.add(created, leak, "JOB_STATE_SUCCEEDED", content, labels={"run": f"leak-{at}"})
    visitor = visit(seeded.world)
    visitor.sign_in()
    page = visitor.page
    use = Counted(page)
    use.done(0)
    today, changes, jobs, ranking = (
        page.get_by_role("region", name=name)
        for name in ("Today", "Largest changes", "Most expensive jobs", re.compile("Cost by"))
    )
    yesterday = sum(job.cost.amount_nano for job in records(seeded) if job.create_time.date() == when.date())

    # What was spent yesterday, and what is usual? What will this month cost?
    spent = today.locator(".facts .money").first.get_attribute("title")
    assert spent.replace(",", "") == f"${format_nano(yesterday)}"
    expect(today).to_contain_text("on average")
    expect(page.get_by_role("region", name="This month")).to_contain_text("Forecast $")
    use.done(0)

    # Why did it jump? Which jobs did it, and which label do they have?
    use.click(today.get_by_role("link", name="Yesterday"))
    expect(changes.locator(".all")).to_have_text(
        re.compile(r"^In all\$[\d,.]+ → \$[\d,.]+\+\$[\d,.]+\+\d+ %$")
    )
    expect(changes.locator("li").first).to_contain_text(PRO)
    names = "|".join({job.seen.display_name for job in moved})
    expect(jobs.locator("li a", has_text=re.compile(f"^({names})$"))).to_have_count(6)
    expect(jobs.locator("li").first).to_contain_text("prompt_version=v3")
    use.done(1)

    # What did the label cost in all?
    use.choose("Ranked by", "label:")
    use.choose("Ranked by: label", "prompt_version")
    use.click(today.get_by_role("link", name="Yesterday"))
    expect(ranking.get_by_role("link", name="v3")).to_be_visible()
    use.done(3)

    # Which key spends what it did not before?
    use.choose("Stacked by", "api_key")
    expect(changes.locator("li").filter(has_text="adhoc-notebooks")).to_contain_text("new")
    use.done(1)

    # Which jobs failed, and why? What is there to do?
    failures = page.get_by_role("region", name="Latest failures")
    expect(failures.locator(".reason").first).not_to_be_empty()
    use.click(failures.locator("li a").first)
    expect(page.locator(".advice").first).to_be_visible()
    use.done(1)

    # Which rows failed? Where are the results?
    use.click(jobs.locator("li a").first)
    expect(page.get_by_role("button", name="Download results")).to_be_visible()
    use.click(page.get_by_role("button", name="Show the first rows"))
    expect(page.get_by_role("table", name="Rows without an answer")).to_be_visible()
    use.done(2)

    # With 18 runs, and jobs without one, eight are ranked.
    visitor.open("overview?top=label%3Arun")
    expect(ranking.locator("li")).to_have_count(8)
    expect(ranking).to_contain_text("11 more: $")


def test_a_refusal_is_not_tried_again(visit, seeded):
    """Another team's job: asking again cannot help."""
    job = next(job for job in records(seeded) if job.team == "ads")
    visitor = visit(seeded.world)
    visitor.sign_in(
        seeded.keys["query-intents"]["key"], f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}"
    )
    expect(visitor.page.get_by_role("alert")).to_contain_text("could not be loaded")
    expect(visitor.page.get_by_role("button", name="Try again")).to_have_count(0)
    expect(visitor.page.locator(".connection")).to_have_text("Live")
    visitor.allows("403")


def test_an_address_that_names_nothing_shows_the_overview(admin):
    for view in ("constructor", "overview?range=constructor&by=constructor"):
        admin.open(view)
        expect(admin.page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(admin.page.get_by_role("button", name="30 d", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
    for dates in ("from=0&until=99999999999", "from=1790000000&until=1780000000"):
        admin.open(f"overview?{dates}")
        admin.page.reload()
        expect(admin.page.get_by_role("button", name="30 d", exact=True)).to_have_attribute(
            "aria-pressed", "true"
        )
    admin.allows("400")
