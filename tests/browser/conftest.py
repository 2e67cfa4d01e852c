"""A browser, and a gateway with its dashboard for it to look at."""

from datetime import timedelta

import pytest

from browser import browsing
from browser.seeding import Seeder, input_rows
from browser.serving import Served
from fakes import MemoryStore
from functional.gateway.conftest import KEY, World, new_emulator
from patience import PATIENCE

AS_GOOD_AS_NEW = timedelta(seconds=30)
"""Age of a month of jobs that another test may use."""


@pytest.fixture(scope="session")
def chromium():
    """One browser for all; each test has a context of its own."""
    reason = "playwright is not installed: pip install -r requirements.txt"
    api = pytest.importorskip("playwright.sync_api", reason=reason)
    path = browsing.chromium()
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    # Its own five seconds would be a verdict on the machine's speed.
    api.expect.set_options(timeout=1000 * PATIENCE)
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=browsing.ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="session")
def vertex_server():
    with new_emulator() as running:
        yield running


@pytest.fixture
def empty(vertex_server):
    """A world without jobs, teams and keys."""
    vertex_server._store._jobs.clear()
    return World(vertex_server.host, store=MemoryStore(), billing_export="acme-billing.export.gcp_billing")


@pytest.fixture(scope="session")
def months():
    """A month of jobs, pickled, by the time at which it was made."""
    return {}


@pytest.fixture
def seeded(empty, vertex_server, months):
    """A month of jobs, and their bill; what was put there is `seeder`'s to tell."""
    seeder = Seeder(empty, vertex_server)
    made = max(months, default=None)
    if made and seeder.now - made < AS_GOOD_AS_NEW:
        seeder.restore(months[made])
    else:
        seeder.owners()
        seeder.month()
        seeder.running()
        seeder.bill()
        empty.objects.put("batch-in", "example_input.jsonl", input_rows(300))
        months[seeder.now] = seeder.pickled()
    return seeder


class Visitor:
    """Somebody in front of the page, and what the browser complained of.

    Attributes:
        page: Playwright's.
        served: The gateway.
    """

    def __init__(self, page, served):
        self.page = page
        self.served = served
        self.complaints = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._heard)

    def _heard(self, message):
        # The call that tells a key from the master key, which is no key on record.
        expected = "404" in message.text and message.location["url"].endswith("/key/info")
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(f"{message.text} {message.location['url']}")

    def open(self, view=""):
        self.page.goto(f"{self.served.url}/dashboard{view and '#/'}{view}")

    def sign_in(self, secret=KEY, view=""):
        self.open(view)
        self.page.get_by_label("API key").fill(secret)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("header.top").wait_for()


@pytest.fixture
def visit(chromium):
    """Opens a context on a world: `visit(world, width=…, …)` gives a Visitor."""
    opened = []

    def open_one(world, *, width=1400, height=900, scheme="light", **options):
        served = Served(world.client.application)
        served.__enter__()
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB", **options
        )
        context.set_default_timeout(1000 * PATIENCE)
        context.add_init_script(browsing.KEEP_OFFERED)
        visitor = Visitor(context.new_page(), served)
        opened.append((served, context, visitor))
        return visitor

    yield open_one
    for served, context, _ in opened:
        context.close()
        served.__exit__()
    for _, _, visitor in opened:
        assert not visitor.complaints


@pytest.fixture
def admin(visit, seeded):
    """The administrator on the overview of the seeded world."""
    visitor = visit(seeded.world)
    visitor.sign_in()
    return visitor


@pytest.fixture(scope="session")
def measured():
    """Notes a figure: in .output/figures.txt, and on the terminal with -s."""
    browsing.OUTPUT.mkdir(exist_ok=True)
    path = browsing.OUTPUT / "figures.txt"
    path.write_text("")

    def note(what, figure):
        with path.open("a") as out:
            out.write(f"{what}: {figure}\n")
        print(f"\n{what}: {figure}")  # noqa: T201 - for people

    return note
