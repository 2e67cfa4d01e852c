"""A browser, and a gateway with its dashboard for it to look at."""

from contextlib import ExitStack
from datetime import timedelta

import pytest

from browser import browsing
from browser.browsing import SCREEN, new_context
from browser.seeding import Seeder, input_rows
from browser.serving import NOWHERE, Served
from fakes import MemoryStore
from functional.gateway.conftest import KEY, World, new_emulator
from patience import PATIENCE

AS_GOOD_AS_NEW = timedelta(minutes=2)
"""Age of a month of jobs that another test may use."""


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests."""
    reason = "playwright is not installed: pip install -r requirements.txt"
    api = pytest.importorskip("playwright.sync_api", reason=reason)
    path = browsing.chromium()
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium-headless-shell")
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


def empty_world(vertex_server):
    return World(vertex_server.host, store=MemoryStore(), billing_export="acme-billing.export.gcp_billing")


@pytest.fixture
def empty(vertex_server):
    """A world without jobs, teams and keys."""
    vertex_server._store._jobs.clear()
    return empty_world(vertex_server)


def fill(seeder):
    seeder.owners()
    seeder.month()
    seeder.running()
    seeder.bill()
    seeder.world.objects.put("batch-in", "example_input.jsonl", input_rows(300))


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
        fill(seeder)
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
        self._allowed = []
        self._heard = {"pageerror": lambda error: self.complaints.append(str(error)), "console": self._read}
        for event, heard in self._heard.items():
            page.on(event, heard)

    def _read(self, message):
        # The call that tells a key from the master key, which is no key on record.
        expected = "404" in message.text and message.location["url"].endswith("/key/info")
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(f"{message.text} {message.location['url']}")

    def allows(self, *texts):
        """Lets the browser complain in this test, now or later, of what has one of these texts."""
        self._allowed.extend(texts)

    def check(self):
        """Fails if the browser complained of anything that the test did not allow; forgets both."""
        complaints, self.complaints = self.complaints, []
        allowed, self._allowed = self._allowed, []
        assert not [each for each in complaints if not any(text in each for text in allowed)]

    def leave(self):
        """Hears no more of what the browser complains of."""
        for event, heard in self._heard.items():
            self.page.remove_listener(event, heard)

    def open(self, view=""):
        self.page.goto(f"{self.served.url}/dashboard{view and '#/'}{view}")

    def sign_in(self, secret=KEY, view=""):
        self.open(view)
        self.page.get_by_label("API key").fill(secret)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.locator("header.top").wait_for()


class Tab:
    """A tab on one gateway, which tests use one after another; each finds it as if it were new.

    For each new context Chromium starts a process, which loads and compiles all modules of the dashboard:
    that takes longer than most tests.

    Args:
        clock: Whether the page's time is the test's to move.

    Attributes:
        page: Playwright's.
        served: The gateway.
        clock: As given.
    """

    def __init__(self, chromium, served, *, clock=False):
        self.served = served
        self.clock = clock
        self._context = new_context(chromium, *SCREEN, color_scheme="light")
        self.page = self._context.new_page()
        self.page.goto(f"{served.url}{NOWHERE}")

    def lend(self, world, width, height, **looks):
        self.served.serve(world.client.application)
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(**looks)
        if self.clock:
            # It is the present again, wherever the last test moved it.
            self.page.clock.install()

    def clean(self):
        for page in self._context.pages:
            if page != self.page:
                page.close()
        self._context.clear_permissions()
        self._context.set_offline(False)
        self.page.unroute_all()
        self.page.mouse.move(0, 0)
        self.page.goto(f"{self.served.url}{NOWHERE}")
        self.page.evaluate("sessionStorage.clear(); localStorage.clear();")

    def close(self):
        self._context.close()


class Tabs:
    """The tabs that tests share: as many as one of them needed at once."""

    def __init__(self, chromium, ending):
        self._chromium, self._ending = chromium, ending
        self._idle = []

    def take(self, *, clock):
        idle = next((tab for tab in self._idle if tab.clock == clock), None)
        if idle is None:
            idle = Tab(self._chromium, self._ending.enter_context(Served()), clock=clock)
            self._ending.callback(idle.close)
        else:
            self._idle.remove(idle)
        return idle

    def give_back(self, tab):
        tab.clean()
        self._idle.append(tab)


@pytest.fixture(scope="session")
def tabs(chromium):
    with ExitStack() as ending:
        yield Tabs(chromium, ending)


@pytest.fixture
def visit(chromium, tabs):
    """Puts somebody in front of a world: `visit(world, width=…, …)` gives a Visitor.

    One gets a tab that tests share; one who is to be alone, and one with further options for Chromium, a
    context of their own.
    """
    ended = []
    visitors = []

    def of_its_own(world, width, height, **options):
        served = Served(world.client.application)
        served.__enter__()
        context = new_context(chromium, width, height, **options)
        ended.extend([context.close, served.__exit__])
        return context.new_page(), served

    def open_one(
        world,
        *,
        width=SCREEN[0],
        height=SCREEN[1],
        scheme="light",
        forced="none",
        clock=False,
        alone=False,
        **options,
    ):
        looks = {"color_scheme": scheme, "forced_colors": forced}
        if alone or options:
            page, served = of_its_own(world, width, height, **looks, **options)
        else:
            tab = tabs.take(clock=clock)
            ended.append(lambda: tabs.give_back(tab))
            tab.lend(world, width, height, **looks)
            page, served = tab.page, tab.served
        visitors.append(Visitor(page, served))
        return visitors[-1]

    yield open_one
    for end in ended:
        end()
    for visitor in visitors:
        visitor.leave()
    for visitor in visitors:
        visitor.check()


KEEP_KEY = "key => sessionStorage.setItem('batch-gateway-key', key)"


@pytest.fixture
def admin(visit, seeded):
    """The administrator, who has signed in to the seeded world and will open a view."""
    visitor = visit(seeded.world)
    visitor.page.evaluate(KEEP_KEY, KEY)
    return visitor


class Reader(Visitor):
    """An administrator who looks and changes nothing, and so needs not load the page again.

    Attributes:
        books: The Seeder of the world that the Reader looks at.
    """

    books = None

    def turn_to(self, books):
        self.books = books
        self.page.goto(f"{self.served.url}{NOWHERE}")
        self.served.serve(books.world.client.application)
        self.page.evaluate(KEEP_KEY, KEY)

    def open(self, view):
        """Goes to a view, if it is not there already, and waits until all of it is loaded."""
        address = f"{self.served.url}/dashboard#/{view}"
        if self.page.url.startswith(f"{self.served.url}/dashboard"):
            self.page.evaluate(GO, address)
        else:
            self.page.goto(address)
            self.page.locator("header.top").wait_for()
        self.page.wait_for_function("() => document.querySelector('[aria-busy]') === null")


GO = """address => location.href === address || new Promise(done => {
    addEventListener('hashchange', () => setTimeout(done), { once: true });
    location.href = address;
})"""
"""Goes to another address of the page, and waits until it has read it."""


@pytest.fixture(scope="session")
def new_books():
    """Makes worlds that nobody changes: `new_books(fill)` gives a Seeder that `fill` was called with."""
    with ExitStack() as running:

        def make(fill):
            vertex = running.enter_context(new_emulator())
            seeder = Seeder(empty_world(vertex), vertex)
            fill(seeder)
            return seeder

        yield make


@pytest.fixture(scope="session")
def books(new_books):
    """A seeded world that nobody changes."""
    return new_books(fill)


@pytest.fixture(scope="session")
def reading(chromium):
    with Served() as served:
        tab = Tab(chromium, served)
        yield Reader(tab.page, served)
        tab.close()


@pytest.fixture
def reader_of(request, reading):
    """Puts the Reader in front of a world that nobody changes, on whatever view the last test left open."""

    def put(books):
        # A test that fails may leave more behind than a view.
        if request.session.testsfailed or reading.books is not books:
            reading.turn_to(books)
        return reading

    yield put
    reading.check()


@pytest.fixture
def reader(reader_of, books):
    return reader_of(books)


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
