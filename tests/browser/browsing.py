"""Chromium and axe-core, or why they are not there."""

import shutil
import subprocess
import tarfile
from pathlib import Path

from patience import PATIENCE

HERE = Path(__file__).resolve().parent
OUTPUT = HERE / ".output"
CACHE = HERE.parents[1] / ".cache" / "browser"
AXE = "axe-core-4.14.1"
SCREEN = (1400, 900)
"""Width and height of a window."""
ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    # A page lives for a second or two: what is optimized for it would not pay.
    "--js-flags=--no-opt --no-maglev",
    "--no-first-run",
    "--no-sandbox",
)
"""Nothing but the page under test: no updates, no accounts, no sandbox, which containers do not give."""
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_SECONDS = 600


KEEP_OFFERED = """
const make = URL.createObjectURL;
URL.createObjectURL = (blob) => { window.offered = blob; return make.call(URL, blob); };
"""
"""For a page: keeps the last blob that it offered as a download."""


def new_context(browser, width, height, **options):
    """A context of Chromium's, which waits as patiently as all tests."""
    # What moves is drawn over and over.
    still = {"locale": "en-GB", "reduced_motion": "reduce"}
    context = browser.new_context(viewport={"width": width, "height": height}, **still, **options)
    context.set_default_timeout(1000 * PATIENCE)
    context.add_init_script(KEEP_OFFERED)
    return context


def offered(page):
    """The text of the last download: of its blob, since a busy Chromium may never end writing the file."""
    return page.evaluate("offered.text()")


def chromium() -> str | None:
    """Path of a Chromium; None if there is none. On a machine of CI's, .ci/run has installed it."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


def axe() -> str | None:
    """The source of axe-core, fetched once into the cache; None without npm."""
    packed = CACHE / f"{AXE}.tgz"
    if not packed.exists():
        npm = shutil.which("npm")
        if npm is None:
            return None
        CACHE.mkdir(parents=True, exist_ok=True)
        name = AXE.replace("core-", "core@")
        command = [npm, "pack", name, "--silent", "--pack-destination", str(CACHE)]
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - fixed
        if done.returncode:
            return None
    with tarfile.open(packed) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()
