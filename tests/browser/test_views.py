"""The dashboard in a real browser: what people do with it, and that the figures are the books'."""

import csv
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from batch_gateway.core.jobs.cost_bounds import UNKNOWN_BOUNDS, Bounds
from batch_gateway.core.pricing.money import format_nano
from browser import browsing
from browser.seeding import Seeder
from functional.gateway.conftest import KEY
from functional.gateway.scoped import admin as administer

expect = pytest.importorskip("playwright.sync_api", reason="playwright is not installed").expect


def exact(locator):
    """The amount that a pointer gets to see; a floor's title says first what that is."""
    return Decimal(locator.get_attribute("title").rpartition("$")[2].replace(",", ""))


def nano_of(jobs):
    return sum(job.cost.amount_nano for job in jobs)


def records(seeded):
    return list(seeded.world.store._jobs.values())


def row_names(page):
    return page.locator(".rows .c-name a").all_inner_texts()


class TestSigningIn:
    def test_a_wrong_key_stays_outside_and_is_told_why(self, visit, empty):
        visitor = visit(empty)
        visitor.open()
        visitor.page.get_by_label("API key").fill("sk-wrong")
        visitor.page.get_by_role("button", name="Sign in").click()

        expect(visitor.page.get_by_role("alert")).to_contain_text("is not known to this gateway")
        visitor.allows("403")

    def test_the_key_is_in_no_address_and_outlives_a_reload_but_not_signing_out(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.sign_in()
        page = visitor.page
        expect(page.locator("header.top")).to_contain_text("Administrator")
        page.reload()
        expect(page.locator("header.top")).to_contain_text("Administrator")
        assert KEY not in page.url
        assert KEY not in page.evaluate("JSON.stringify({...localStorage})")

        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
        page.reload()
        expect(page.get_by_label("API key")).to_be_visible()

    def test_a_teams_key_sees_its_team_and_no_keys(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.sign_in(seeded.keys["query-intents"]["key"], "jobs")
        page = visitor.page

        expect(page.locator(".rows .job-row").first).to_be_visible()
        assert {name.rpartition("-")[0].rpartition("-")[0] for name in row_names(page)} == {"query-intents"}
        assert page.get_by_role("link", name="Keys & teams").count() == 0
        visitor.open("keys")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    def test_an_administrator_by_name_sees_everything(self, visit, seeded):
        made = administer(seeded.world, "/key/generate", key_alias="ops-lead", role="admin")
        visitor = visit(seeded.world)
        visitor.sign_in(made["key"], "audit")

        expect(visitor.page.get_by_role("table", name="Changes")).to_contain_text("ops-lead")
        expect(visitor.page.get_by_role("link", name="Keys & teams")).to_be_visible()

    def test_a_key_that_is_disabled_meanwhile_is_shown_out(self, visit, seeded):
        visitor = visit(seeded.world)
        key = seeded.keys["query-intents"]
        visitor.sign_in(key["key"])
        # What is under way could bring the key back into the gateway's memory.
        expect(visitor.page.locator("[aria-busy]")).to_have_count(0)
        administer(seeded.world, "/key/update", key=key["token"], blocked=True)
        # Longer than an instance goes by what it has read of a key.
        seeded.world.skipped += 60
        visitor.page.get_by_role("link", name="Jobs", exact=True).click()

        expect(visitor.page.get_by_role("alert")).to_contain_text("is disabled")
        expect(visitor.page.get_by_label("API key")).to_be_visible()
        visitor.allows("Failed to load resource")


class TestOverview:
    @pytest.fixture
    def reader(self, reader):
        reader.open("overview")
        return reader

    def test_spend_of_the_month_is_the_sum_of_its_jobs(self, reader, books):
        month = datetime.now(UTC).strftime("%Y-%m")
        jobs = [job for job in records(books) if f"{job.create_time:%Y-%m}" == month]
        tile = reader.page.get_by_role("region", name="This month")

        expect(tile.locator(".big .money")).to_be_visible()
        assert exact(tile.locator(".big .money")) == Decimal(format_nano(nano_of(jobs)))
        expect(tile).to_contain_text(re.compile(r"[1-4] of 4 budgets for the month|none is over"))
        expect(tile).to_contain_text(re.compile(r"Forecast \$[\d,.]+ to \$[\d,.]+"))

    def test_spend_is_stacked_by_what_is_chosen_and_that_can_be_linked(self, reader):
        page = reader.page
        page.get_by_label("Stacked by", exact=True).select_option("team")
        expect(page.locator(".legend")).to_contain_text("research")
        page.get_by_role("button", name="7 d", exact=True).click()
        expect(page.locator(".legend")).to_contain_text("support")
        assert "by=team" in page.url
        assert "range=7d" in page.url
        page.reload()
        expect(page.get_by_label("Stacked by", exact=True)).to_have_value("team")
        expect(page.get_by_role("button", name="7 d", exact=True)).to_have_attribute("aria-pressed", "true")
        page.get_by_label("Stacked by", exact=True).select_option("label:")
        page.get_by_label("Stacked by: label").select_option("environment")
        expect(page.locator(".legend")).to_contain_text("staging")

    def test_the_chart_is_drawn_and_has_its_figures_in_a_table_and_a_file(self, reader, books):
        page = reader.page
        expect(page.locator(".chart canvas")).to_be_visible()
        page.get_by_text("The figures as a table").click()
        table = page.get_by_role("table", name="Spend over time")
        assert table.get_by_role("row").count() == 31
        with page.expect_download():
            page.get_by_role("button", name="Download these figures").click()
        rows = list(csv.DictReader(browsing.offered(page).splitlines()))
        since = min(datetime.fromisoformat(row["start_time"]) for row in rows)
        jobs = [job for job in records(books) if job.create_time >= since]
        assert sum(Decimal(row["total"]) for row in rows) == Decimal(format_nano(nano_of(jobs)))

    def test_a_pointer_on_a_bar_gets_to_see_exact_amounts(self, reader):
        chart = reader.page.locator(".chart .u-over")
        chart.hover(position={"x": 300, "y": 150})
        tip = reader.page.locator(".tip")
        expect(tip).to_be_visible()
        expect(tip.locator("p")).to_have_count(4)
        expect(tip.locator("b").first).to_have_text(re.compile(r"^\$[\d,]+\.\d+$"))

    def test_running_jobs_and_failures_are_there(self, reader, books):
        page = reader.page
        running = page.get_by_role("region", name="Running now")
        expect(running.locator("li")).to_have_count(6)
        expect(running).to_contain_text("projected for 6 of them")
        under_way = [job for job in records(books) if not job.seen.terminal]
        so_far = Decimal(format_nano(nano_of(under_way)))
        assert exact(running.locator(".summary .money").first) == so_far
        expect(running.locator(".summary .money").first).to_contain_text("≥ $")
        for job in under_way:
            line = running.locator("li", has_text=job.seen.display_name)
            expect(line).to_contain_text("projected")
            expect(line).not_to_contain_text("$0.00")
        lost = [
            job
            for job in records(books)
            if job.seen.state.removeprefix("JOB_STATE_") in {"FAILED", "CANCELLED", "EXPIRED"}
            and (datetime.now(UTC).date() - job.create_time.date()).days < 30
        ]
        waste = page.get_by_role("region", name="Failed and wasted")
        assert exact(waste.locator(".money").first) == Decimal(format_nano(nano_of(lost)))

    def test_blocked_and_cut_off_answers_are_those_of_the_file_of_jobs(self, reader):
        waste = reader.page.get_by_role("region", name="Failed and wasted")
        waste.get_by_role("button", name="Add up blocked and cut-off answers").click()
        useless = waste.locator(".pairs").last.locator(".money")
        expect(useless).to_contain_text("≥ $")
        shown, both = exact(useless), exact(waste.locator(".help .money"))
        reader.open("jobs?since=30d")
        expect(reader.page.locator(".rows .job-row").first).to_be_visible()
        with reader.page.expect_download():
            reader.page.get_by_role("button", name="CSV").click()
        rows = list(csv.DictReader(browsing.offered(reader.page).splitlines()))
        lost = ("JOB_STATE_FAILED", "JOB_STATE_EXPIRED", "JOB_STATE_CANCELLED")
        assert shown == sum(Decimal(row["wasted_usd"] or 0) for row in rows)
        assert both == sum(Decimal(row["wasted_usd"] or 0) for row in rows if row["state"] in lost)

    def test_how_long_jobs_take_is_what_the_api_says(self, reader, books):
        card = reader.page.get_by_role("region", name="How long jobs take")
        for days in (7, 30):
            card.get_by_role("button", name=f"{days} days").click()
            stats = [each for each in books.world.get("/v1/jobs:stats").json["data"] if each["days"] == days]
            most = max(stats, key=lambda each: sum(each["jobs"].values()))
            expect(card.locator("li")).to_have_count(len(stats))
            first = card.locator("li").first
            expect(first).to_contain_text(f"{most['model']} {most['location']}")
            expect(first).to_contain_text(f"{most['jobs']['succeeded']} succeeded")
            queue = [int(most["queueSeconds"][name] // 60) for name in ("p50", "p90")]
            expect(first.locator("dd").first).to_have_text("{} min p90 {} min".format(*queue))
        assert "days=30" in reader.page.url

    def test_what_has_no_output_yet_has_no_cost(self, visit, empty, vertex_server):
        seeder = Seeder(empty, vertex_server)
        job = seeder.add(seeder.now, (None, "adhoc", "gemini-2.5-flash"), "JOB_STATE_RUNNING", None, rows=9)
        empty.store._jobs[job.key] = msgspec.structs.replace(job, estimate=None)
        visitor = visit(empty)
        visitor.sign_in()
        running = visitor.page.get_by_role("region", name="Running now")
        expect(running.locator(".summary")).to_have_text("1 job")
        expect(running.locator("li .cost")).to_have_text("—")
        failed = msgspec.structs.replace(job.seen, state="JOB_STATE_FAILED")
        empty.store._jobs[job.key] = msgspec.structs.replace(job, seen=failed)
        visitor.page.reload()
        wrong = visitor.page.get_by_role("region", name="Latest failures")
        expect(wrong.locator("li .cost .unknown")).to_have_text("—")
        waste = visitor.page.get_by_role("region", name="Failed and wasted")
        expect(waste.locator(".money").first).to_have_text("≥ $0.00")

    def test_spend_is_to_be_had_as_a_file(self, reader):
        with reader.page.expect_download() as found:
            reader.page.get_by_role("button", name="FOCUS").click()
        assert "BilledCost" in browsing.offered(reader.page).splitlines()[0]
        assert found.value.suggested_filename.startswith("focus-")

    def test_without_jobs_it_says_so(self, visit, empty):
        visitor = visit(empty)
        visitor.sign_in()
        for text in (
            "No spend in this time",
            "Nothing is running",
            "No budgets",
            "Nothing went wrong",
            "No figures yet",
        ):
            expect(visitor.page.get_by_text(text, exact=True)).to_be_visible()

    def test_what_cannot_be_loaded_says_so_and_is_tried_again(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.served.failing.add("/v1/costs")
        visitor.sign_in()
        card = visitor.page.get_by_role("region", name="Cost by model")
        expect(card.get_by_role("alert")).to_contain_text("This could not be loaded")
        expect(visitor.page.locator(".connection")).to_have_text("Trying again")
        # A refusal that is still under way would count after what is answered below.
        expect(visitor.page.locator("[aria-busy]")).to_have_count(0)
        visitor.served.failing.clear()
        card.get_by_role("button", name="Try again").click()
        expect(card).to_contain_text("gemini-2.5-pro")
        expect(visitor.page.locator(".connection")).to_have_text("Live")
        visitor.allows("Failed to load resource")

    def test_a_key_with_a_budget_sees_how_much_is_left(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.sign_in(seeded.keys["adhoc-notebooks"]["key"])
        expect(visitor.page.get_by_role("region", name="Budgets")).to_contain_text("of $40.00 a week")
        expect(visitor.page.get_by_role("region", name="This week")).to_contain_text("for adhoc-notebooks")

    def test_a_teams_key_sees_the_teams_budget_if_it_is_told(self, visit, seeded):
        visitor = visit(seeded.world)
        visitor.sign_in(seeded.keys["ticket-triage"]["key"])
        expect(visitor.page.get_by_role("region", name="Budgets")).to_contain_text("of $150.00 a month")
        expect(visitor.page.get_by_role("region", name="This month")).to_contain_text("for Support")


class TestJobs:
    def test_filters_sort_and_page_stand_in_the_address(self, reader, books):
        page = reader.page
        reader.open("jobs")
        page.get_by_label("State").select_option("JOB_STATE_SUCCEEDED")
        page.get_by_label("Model", exact=True).select_option("gemini-2.5-flash")
        page.get_by_role("searchbox", name="Search").fill("ad-policy")
        page.wait_for_url("**search=ad-policy*")
        page.get_by_role("columnheader", name="Cost").get_by_role("button").click()
        page.get_by_role("columnheader", name="Cost").get_by_role("button").click()
        expect(page.get_by_role("columnheader", name="Cost")).to_have_attribute("aria-sort", "descending")
        before = row_names(page)
        since = datetime.now(UTC).timestamp() - 30 * 86400
        wanted = sorted(
            (
                job
                for job in records(books)
                if job.api_key == "ad-policy-review"
                and job.seen.state == "JOB_STATE_SUCCEEDED"
                and job.create_time.timestamp() >= since
            ),
            key=lambda job: -job.cost.amount_nano,
        )
        assert before[:5] == [job.seen.display_name for job in wanted[:5]]
        page.reload()
        expect(page.get_by_label("State")).to_have_value("JOB_STATE_SUCCEEDED")
        expect(page.locator(".rows .job-row").first).to_be_visible()
        assert row_names(page) == before

        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_label("State")).to_have_value("")

    def test_waste_is_a_column_and_the_sum_of_a_list_is_exact(self, reader, books):
        page = reader.page
        reader.open("jobs?team=ads&state=JOB_STATE_SUCCEEDED&since=all&sort=-waste")
        wasted = {
            job.seen.display_name: sum(each.amount_nano for each in job.cost.waste if each.amount_nano)
            for job in records(books)
            if job.team == "ads" and job.seen.state == "JOB_STATE_SUCCEEDED"
        }
        amounts = page.locator(".pager .total .money")
        expect(amounts).to_have_count(2)
        jobs = [job for job in records(books) if job.seen.display_name in wasted]
        assert exact(amounts.first) == Decimal(format_nano(nano_of(jobs)))
        assert exact(amounts.last) == Decimal(format_nano(sum(wasted.values())))
        assert row_names(page)[:5] == sorted(wasted, key=wasted.get, reverse=True)[:5]
        first = page.locator(".rows .c-waste .money").first
        assert exact(first) == Decimal(format_nano(max(wasted.values())))

        # Of more jobs than are loaded, a spend report has the sum.
        reader.open("jobs?since=90d")
        expect(page.locator(".pager")).to_contain_text(" of 250+ ")
        amount = format_nano(nano_of(records(books)))
        title = re.compile(rf"\${int(Decimal(amount)):,}.{amount.partition('.')[2]}$")
        expect(amounts).to_have_attribute("title", title)
        total = page.locator(".pager .total")
        reader.open("jobs?since=all")
        expect(amounts).to_have_attribute("title", title)
        expect(total).to_have_text(re.compile(r"\$[\d,.]+ in all$"))
        # A report cannot search.
        page.get_by_role("searchbox", name="Search").fill("-")
        page.wait_for_url("**search=-*")
        expect(total).to_have_text(re.compile(r"^≥ \$[\d,.]+ in the 250 jobs loaded$"))
        expect(amounts).not_to_have_attribute("title", title)

    def test_typing_in_the_search_keeps_the_focus(self, reader):
        reader.open("jobs")
        search = reader.page.get_by_role("searchbox", name="Search")
        search.press_sequentially("paper", delay=20)
        reader.page.wait_for_url("**search=paper*")
        search = reader.page.get_by_role("searchbox", name="Search")
        expect(search).to_be_focused()
        reader.page.keyboard.type("-sum")
        reader.page.wait_for_url("**search=paper-sum*")

    def test_a_label_filters(self, reader, books):
        reader.open("jobs?label=environment%3Dstaging")
        page = reader.page
        expect(page.locator(".rows .job-row").first).to_be_visible()
        names = {
            job.seen.display_name for job in records(books) if job.seen.labels["environment"] == "staging"
        }
        assert set(row_names(page)) <= names

    def test_nothing_found_is_said(self, reader):
        reader.open("jobs?search=there-is-no-such-job")
        expect(reader.page.get_by_text("No job fits these filters")).to_be_visible()

    def test_the_keyboard_walks_through_rows(self, reader):
        reader.open("jobs")
        page = reader.page
        page.locator(".rows .job-row a").first.focus()
        for _ in range(3):
            page.keyboard.press("ArrowDown")
        assert (
            page.evaluate("document.activeElement.closest('.job-row').getAttribute('aria-rowindex')") == "5"
        )
        page.keyboard.press("Enter")
        expect(page.get_by_text("Usage by modality and tier").first).to_be_visible()

    def test_a_row_far_down_opens_on_a_phone(self, visit, seeded):
        visitor = visit(seeded.world, width=360, height=780)
        visitor.sign_in(view="jobs")
        link = visitor.page.locator(".rows .job-row a").nth(8)
        path = link.get_attribute("href")
        link.click()
        expect(visitor.page.locator(".timeline")).to_be_visible()
        assert visitor.page.url.endswith(path)

    def test_the_file_has_every_job(self, reader, books):
        reader.open("jobs?since=all")
        expect(reader.page.locator(".rows .job-row").first).to_be_visible()
        with reader.page.expect_download():
            reader.page.get_by_role("button", name="CSV").click()
        rows = list(csv.DictReader(browsing.offered(reader.page).splitlines()))
        assert len(rows) == len(records(books))
        assert sum(Decimal(row["amount_usd"] or 0) for row in rows) == Decimal(
            format_nano(nano_of(records(books)))
        )
        pending = [row for row in rows if row["status"] == "PENDING"]
        assert len(pending) == 2
        assert all(row["amount_usd"] == row["wasted_usd"] == "" for row in pending)
        assert all(Decimal(row["projected_usd"]) > 0 for row in pending)

    @pytest.mark.parametrize("state", ["JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"])
    def test_a_job_without_output_shows_its_projection_or_nothing(self, visit, empty, vertex_server, state):
        seeder = Seeder(empty, vertex_server)
        for estimate in (Bounds(1, 2_000_000_000, 3), UNKNOWN_BOUNDS, None):
            kind = (None, "adhoc", "gemini-2.5-flash")
            job = seeder.add(seeder.now, kind, "JOB_STATE_RUNNING", None, rows=9)
            seen = msgspec.structs.replace(job.seen, state=state)
            empty.store._jobs[job.key] = msgspec.structs.replace(job, seen=seen, estimate=estimate)
        visitor = visit(empty)
        visitor.sign_in(view="jobs?sort=amount")
        costs = visitor.page.locator(".rows .c-cost")
        expect(costs).to_have_text(["—", "—", "$2.00projected"])

    def test_what_a_caller_wrote_is_text(self, admin, seeded, vertex_server):
        job = records(seeded)[-1]
        name = "<img src=x onerror=\"document.title='broken'\">"
        seen = msgspec.structs.replace(job.seen, display_name=name)
        seeded.world.store._jobs[job.key] = msgspec.structs.replace(job, seen=seen)
        vertex_server._store._jobs[seen.name].body["displayName"] = name
        admin.open("jobs")
        expect(admin.page.get_by_text(name)).to_be_visible()
        admin.page.get_by_text(name).click()
        expect(admin.page.get_by_role("heading", level=1)).to_have_text(name)
        assert admin.page.title() != "broken"


class TestJob:
    def open(self, admin, job):
        admin.open(f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
        expect(admin.page.get_by_role("heading", level=1)).to_have_text(job.seen.display_name)

    def test_it_says_what_a_job_cost_and_why(self, reader, books):
        page = reader.page
        job = next(job for job in records(books) if job.api_key == "ad-policy-review" and job.closed)
        self.open(reader, job)
        cost = page.get_by_role("region", name="Cost", exact=True)
        assert exact(cost.locator(".money").first) == Decimal(format_nano(job.cost.amount_nano))
        page.get_by_text("Line items with their prices").click()
        items = page.get_by_role("table", name="Line items")
        assert items.get_by_role("row").count() == len(job.cost.line_items) + 1
        usage = page.get_by_role("table", name="Usage by modality and tier")
        for modality in ("text", "audio", "image", "thoughts"):
            expect(usage.get_by_role("cell", name=modality, exact=True)).to_be_visible()
        expect(page.get_by_role("table", name="Errors and waste by kind")).to_contain_text("SAFETY")
        expect(page.get_by_role("table", name="Outputs")).to_contain_text("predictions.jsonl")
        expect(page.locator(".timeline")).to_contain_text("Cost final")
        page.get_by_text("The job as JSON").click()
        shown = json.loads(page.get_by_label("JSON", exact=True).inner_text())
        assert shown["cost"]["amount"] == format_nano(job.cost.amount_nano)
        assert shown["job"]["displayName"] == job.seen.display_name

    def test_what_is_not_known_yet_is_no_nil(self, visit, empty, vertex_server):
        """The job has no input that could be read, so that opening its page finds no estimate either."""
        seeder = Seeder(empty, vertex_server)
        seen = []
        for estimate in (Bounds(1_000_000_000, 2_000_000_000, None), None):
            kind = (None, "adhoc", "gemini-2.5-flash")
            job = seeder.add(seeder.now, kind, "JOB_STATE_RUNNING", None, rows=9)
            empty.store._jobs[job.key] = msgspec.structs.replace(job, estimate=estimate)
            visitor = visit(empty)
            visitor.sign_in(view=f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
            cost = visitor.page.get_by_role("region", name="Cost", exact=True)
            expect(cost.locator(".big")).to_have_text("—")
            expect(visitor.page.get_by_role("region", name="Errors and waste")).to_contain_text(
                "Not known yet"
            )
            expect(visitor.page.locator(".banner")).to_have_count(0)
            seen.append(cost.inner_text())
        assert "$2.00 projected" in seen[0]
        assert "Estimated $2.00 ($1.00 to —)" in seen[0]
        assert not any(sign in seen[1] for sign in ("$", "projected", "Estimated"))

    @pytest.mark.parametrize("gap", ["malformed", "unrecognized", None])
    def test_a_running_job_is_warned_of_only_for_rows_that_cost_nobody_knows_what(self, admin, seeded, gap):
        job = next(job for job in records(seeded) if job.seen.state == "JOB_STATE_RUNNING")
        rows = msgspec.structs.replace(job.usage.rows, **({gap: 3} if gap else {}))
        usage = msgspec.structs.replace(job.usage, rows=rows)
        seeded.world.store._jobs[job.key] = msgspec.structs.replace(job, usage=usage)
        self.open(admin, job)
        expect(admin.page.get_by_role("region", name="Cost", exact=True)).to_contain_text("So far")
        expect(admin.page.locator(".banner")).to_have_count(1 if gap else 0)

    def test_a_job_is_cancelled_only_when_that_is_confirmed(self, admin, seeded, vertex_server):
        page = admin.page
        job = next(job for job in records(seeded) if job.seen.state == "JOB_STATE_RUNNING")
        in_vertex = vertex_server._store._jobs[job.seen.name]
        self.open(admin, job)
        page.get_by_role("button", name="Cancel job").click()
        page.get_by_role("button", name="Keep it running").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert in_vertex.state == "JOB_STATE_RUNNING"
        expect(page.locator("#messages")).to_be_empty()

        page.get_by_role("button", name="Cancel job").click()
        page.get_by_role("button", name="Cancel the job").click()
        expect(page.locator(".title .badge")).to_have_text("Cancelling")
        assert in_vertex.state == "JOB_STATE_CANCELLING"
        expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)

    def test_a_job_that_vertex_forgot_still_has_its_cost(self, admin, seeded, vertex_server):
        job = next(job for job in records(seeded) if job.closed)
        del vertex_server._store._jobs[job.seen.name]
        admin.open(f"jobs/{job.key.project}/{job.key.location}/{job.key.job_id}")
        expect(admin.page.get_by_text("Vertex AI no longer has this job")).to_be_visible()
        admin.allows("404")


class TestKeysAndTeams:
    @pytest.fixture
    def page(self, admin):
        admin.open("keys")
        expect(admin.page.get_by_role("button", name="New key")).to_be_visible()
        return admin.page

    def test_a_keys_secret_is_shown_once_and_good(self, page, seeded):
        page.get_by_role("button", name="New key").click()
        page.get_by_label("Alias").fill("weekly")
        page.get_by_label("Team", exact=True).select_option("ads")
        page.get_by_label("Stop creating jobs at").fill("12.345678901")
        page.get_by_role("button", name="Create key").click()
        page.locator("output.secret").wait_for()
        secret = page.locator("output.secret").inner_text()
        page.get_by_role("button", name="I have copied it").click()
        expect(page.locator("dialog")).to_have_count(0)

        assert secret not in page.content()
        made = seeded.world.get("/key/info", key=secret).json["info"]
        assert (made["key_alias"], made["team_id"], made["budget_duration"]) == ("weekly", "ads", "1mo")
        expect(page.locator(".owners li", has_text="weekly")).to_contain_text("$0.00 of $12.35 a month")
        assert seeded.world.keys.get_key(made["token"]).budget.max_budget_nano == 12_345_678_901

    def test_a_key_is_made_only_when_the_teams_to_choose_from_are_known(self, page):
        held = []
        page.route("**/team/list?*", lambda route: held.append(route), times=1)  # noqa: PLW0108 - no builtin
        with page.expect_request("**/team/list?*"):
            page.reload()
        expect(page.get_by_role("button", name="New key")).to_be_disabled()
        held[0].continue_()
        page.get_by_role("button", name="New key").click()
        expect(page.get_by_label("Team", exact=True).locator("option")).to_have_count(5)

    def test_what_the_gateway_refuses_stays_in_the_form(self, page, admin):
        page.get_by_role("button", name="New key").click()
        page.get_by_label("Alias").fill("query-intents")
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Another key has the alias")
        page.get_by_label("Stop creating jobs at").fill("a lot")
        page.get_by_role("button", name="Create key").click()
        expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("Write dollars")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_role("button", name="New key")).to_be_focused()
        admin.allows("Failed to load resource")

    def test_a_shown_secret_goes_with_whoever_is_shown_out(self, page):
        page.get_by_role("button", name="Rotate ticket-triage").click()
        page.get_by_role("button", name="Rotate", exact=True).click()
        page.locator("output.secret").wait_for()
        page.evaluate("dispatchEvent(new CustomEvent('keyrefused', { detail: 'gone' }))")
        expect(page.get_by_label("API key")).to_be_visible()
        expect(page.locator("dialog")).to_have_count(0)

    def test_a_key_is_disabled_and_enabled(self, page, seeded):
        token = seeded.keys["ticket-triage"]["token"]
        page.get_by_role("button", name="Disable ticket-triage").click()
        page.get_by_role("button", name="Disable", exact=True).click()
        expect(page.get_by_role("button", name="Enable ticket-triage")).to_be_visible()
        assert seeded.world.keys.get_key(token).blocked
        page.get_by_role("button", name="Enable ticket-triage").click()
        expect(page.get_by_role("button", name="Disable ticket-triage")).to_be_visible()
        assert not seeded.world.keys.get_key(token).blocked

    def test_a_key_is_rotated(self, page, seeded):
        page.get_by_role("button", name="Rotate ticket-triage").click()
        page.get_by_label("The old secret ends").select_option("1h")
        page.get_by_role("button", name="Rotate", exact=True).click()
        page.locator("output.secret").wait_for()
        secret = page.locator("output.secret").inner_text()
        assert seeded.world.get("/v1/jobs?limit=1", key=secret).status_code == 200
        assert seeded.world.keys.get_key(seeded.keys["ticket-triage"]["token"]).expires is not None

    def test_a_key_shows_what_it_spent_and_when(self, reader, books):
        reader.open("keys")
        page = reader.page
        jobs = [job for job in records(books) if job.api_key == "ticket-triage" and job.cost.amount_nano]
        since = datetime.now(UTC).date() - timedelta(days=29)
        spent = nano_of(job for job in jobs if job.create_time.date() >= since)
        row = page.locator(".owners li", has_text="ticket-triage")
        expect(row.locator(".what .money")).to_be_visible()
        assert exact(row.locator(".what .money")) == Decimal(format_nano(spent))
        last = max(job.create_time for job in jobs)
        expect(row).to_contain_text(f"last on {last.day} {last:%b}")
        expect(page.locator(".owners li", has_text="old-import")).to_contain_text("No spend in 30 days")

    def test_keys_are_searched_and_sorted(self, reader):
        reader.open("keys")
        page = reader.page
        names = page.get_by_role("region", name="Keys", exact=True).locator(".what > b")
        expect(names).to_have_count(6)
        expect(page.locator(".owners .what .money").first).to_be_visible()
        page.get_by_label("Order").select_option("spend")
        expect(names.first).to_have_text("paper-summaries")
        page.get_by_role("searchbox", name="Search").press_sequentially("TRI")
        expect(names).to_have_text(["ticket-triage"])
        page.get_by_role("searchbox", name="Search").fill("nobody's")
        expect(page.get_by_text("Nothing fits").first).to_be_visible()

    def test_a_key_is_edited(self, page, seeded):
        token = seeded.keys["adhoc-notebooks"]["token"]
        page.get_by_role("button", name="Edit adhoc-notebooks").click()
        expect(page.get_by_label("Models")).to_have_value("gemini-2.5-flash*")
        page.get_by_label("Owner").fill("ana@example.com")
        page.get_by_label("Models").fill("gemini-2.5-pro, gemini-2.5-flash")
        page.get_by_label("May read and write").fill("gs://batch-in/ana")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".owners li", has_text="adhoc-notebooks")).to_contain_text("ana@example.com")
        key = seeded.world.keys.get_key(token)
        assert key.metadata == {"owner": "ana@example.com"}
        assert key.grant.models == ("gemini-2.5-pro", "gemini-2.5-flash")
        assert key.grant.allowed_uri_prefixes == ("gs://batch-in/ana",)
        assert key.budget.max_budget_nano == 40 * 10**9

    def test_a_team_is_made_and_its_budget_changed(self, page, seeded):
        page.get_by_role("button", name="New team").click()
        page.get_by_label("Id").fill("growth")
        page.get_by_role("button", name="Create team").click()
        expect(page.locator(".owners li", has_text="growth")).to_contain_text("No budget")
        page.get_by_role("button", name="Budget of growth").click()
        page.get_by_label("Stop creating jobs at").fill("1,250.50")
        page.get_by_label("Resets every").select_option("7d")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".owners li", has_text="growth")).to_contain_text("$0.00 of $1,250.50 a week")
        assert seeded.world.keys.get_team("growth").budget.max_budget_nano == 1_250_500_000_000


def test_an_estimate_is_made_of_a_pasted_body(admin, seeded):
    admin.open("estimate")
    page = admin.page
    expect(page.get_by_label("Project")).to_have_value("acme-batch")
    page.get_by_role("button", name="Estimate", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("Paste the request body")
    page.get_by_role("button", name="Fill in an example").click()
    body = page.get_by_label("Request body").input_value().replace("gemini-3.5-flash", "gemini-2.5-flash")
    page.get_by_label("Request body").fill(body)
    page.get_by_role("button", name="Estimate", exact=True).click()
    expect(page.locator(".levels")).to_be_visible()
    path = "/v1/projects/acme-batch/locations/us-central1/batchPredictionJobs:estimateCost"
    answer = seeded.world.call("POST", path, data=body).json
    found = [exact(each) for each in page.locator(".levels .money").all()]
    assert found == [Decimal(answer[level]) for level in ("low", "expected", "high")]
    expect(page.get_by_text("Assumptions")).to_be_visible()
    queue = [int(answer["expectedTime"]["queueSeconds"][name] // 60) for name in ("p50", "p90")]
    expect(page.locator(".pairs dd").filter(has_text="p90").first).to_have_text(
        "{} min(p90 {} min)".format(*queue)
    )
    expect(page.get_by_text(f"From {answer['expectedTime']['jobs']} jobs with this model")).to_be_visible()
    page.get_by_label("Request body").fill('{"model": "publishers/google/models/no-such-model"}')
    page.get_by_role("button", name="Estimate", exact=True).click()
    expect(page.get_by_text("The amounts are unknown")).to_be_visible()
    assert page.locator(".levels .unknown").count() == 3
    page.get_by_label("Request body").fill("[]")
    page.get_by_role("button", name="Estimate", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="There is no estimate")).to_be_visible()
    admin.allows("Failed to load resource")
