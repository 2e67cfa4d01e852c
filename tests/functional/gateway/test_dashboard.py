"""The dashboard's files: what they are made of, and how they are sent."""

import gzip
import re
from html.parser import HTMLParser

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from batch_gateway.core.errors import ApiError
from batch_gateway.gateway import dashboard

ASSET = re.compile(r"/dashboard/([0-9a-f]{12})/([\w.]+)")


def request(path="/dashboard", **headers):
    return Request(EnvironBuilder(path=path, headers=headers).get_environ())


def get(name=None, version=None, **headers):
    sent = {key.replace("_", "-"): value for key, value in headers.items()}
    if name is None:
        return dashboard.serve_page(request(**sent))
    return dashboard.serve_file(request(f"/dashboard/{version or present()}/{name}", **sent))


def text_of(response):
    return response.get_data(as_text=True)


def present():
    """The version that the page names."""
    (version,) = {found[1] for found in ASSET.finditer(text_of(get()))}
    return version


def all_names():
    return sorted(dashboard._files().by_name)


class Markup(HTMLParser):
    """Collects what a strict policy would refuse."""

    def __init__(self):
        super().__init__()
        self.inline = []
        self._in_script = False

    def handle_starttag(self, tag, attrs):
        self.inline += [(tag, name) for name, _ in attrs if name.startswith("on") or name == "style"]
        self._in_script = tag in {"script", "style"}

    def handle_data(self, data):
        if self._in_script and data.strip():
            self.inline.append(data)

    def handle_endtag(self, _):
        self._in_script = False


def test_the_page_names_only_files_that_are_there():
    found = ASSET.findall(text_of(get()))

    assert {"main.js", "app.css", "jobtable.css", "icon.svg"} <= {name for _, name in found}
    for version, name in found:
        assert get(name, version).status_code == 200


def test_every_module_is_named_in_the_page_so_that_none_waits_for_another():
    page = text_of(get())
    modules = [name for name in all_names() if name.endswith(".js") and not name.startswith("uPlot")]
    imported = {
        name for module in modules for name in re.findall(r"from '\./([\w.]+)'", text_of(get(module)))
    }

    assert imported | {"main.js"} == set(modules)
    for name in modules:
        assert f'rel="modulepreload" href="/dashboard/{present()}/{name}"' in page


def test_nothing_is_inline_and_nothing_comes_from_elsewhere():
    markup = Markup()
    markup.feed(text_of(get()))
    assert not markup.inline
    names = {f"http://www.w3.org/{name}" for name in ("1998/Math/MathML", "1999/xhtml", "2000/svg")}
    # The console and a page of Google's documentation are linked to, and nothing is loaded from there.
    linked = {
        "https://console.cloud.google.com",
        "https://cloud.google.com/billing/docs/how-to/export-data-bigquery-setup",
    }
    allowed = names | {"https://github.com/leeoniya/uPlot"} | linked
    for name in all_names():
        text = text_of(get()) if name == "index.html" else text_of(get(name))
        assert set(re.findall(r"https?://[\w./-]+", text)) <= allowed, name
        assert "@import" not in text


@pytest.mark.parametrize("name", [None, "main.js", "app.css", "uPlot.iife.min.js"])
def test_every_answer_has_a_strict_policy(name):
    headers = get(name).headers

    directives = dict(each.strip().split(" ", 1) for each in headers["Content-Security-Policy"].split(";"))
    assert directives == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (None, "text/html; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("app.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_types(name, kind):
    assert get(name).headers["Content-Type"] == kind


def test_files_are_kept_for_good_and_the_page_is_asked_about():
    assert get().headers["Cache-Control"] == "no-cache"
    assert get("main.js").headers["Cache-Control"] == "public, max-age=31536000, immutable"


def test_a_page_from_before_a_deployment_gets_the_present_file_which_is_not_kept():
    answer = get("main.js", "0123456789ab")

    assert answer.get_data() == get("main.js").get_data()
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", [None, "main.js"])
def test_a_file_that_is_known_is_not_sent_again(name):
    for encoding in ("gzip", "identity"):
        tag = get(name, Accept_Encoding=encoding).headers["ETag"]
        again = get(name, Accept_Encoding=encoding, If_None_Match=tag)
        assert (again.status_code, again.get_data()) == (304, b"")
        assert again.headers["ETag"] == tag
    assert get(name, If_None_Match='"another"').status_code == 200
    assert not tag.startswith("W/")


@pytest.mark.parametrize("name", [None, "app.css"])
def test_files_are_packed_for_those_who_take_it(name):
    packed, plain = get(name, Accept_Encoding="gzip, br"), get(name)

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.get_data()) == plain.get_data()
    assert packed.headers["ETag"] != plain.headers["ETag"]
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert "Content-Encoding" not in get(name, Accept_Encoding="gzip;q=0").headers


@pytest.mark.parametrize("name", ["index.html", "LICENSE", "__init__.py", "../keys.py", "nothing.js", ""])
def test_what_is_no_file_of_the_dashboard_is_not_found(name):
    with pytest.raises(ApiError) as refused:
        get(name)
    assert (refused.value.status, refused.value.reason) == ("NOT_FOUND", "PATH_UNKNOWN")


def test_all_files_together_are_small():
    sizes = [
        len(get(name, Accept_Encoding="gzip").get_data()) for name in all_names() if name != "index.html"
    ]
    assert sum(sizes) < 180_000


@pytest.mark.parametrize("name", ["preact", "uplot"])
def test_a_library_comes_with_its_licence(name):
    folder = dashboard._HERE / "vendor" / name
    assert "Permission is hereby granted" in (folder / "LICENSE").read_text()


def test_libraries_are_as_published_but_for_the_address_of_the_one_that_another_needs():
    vendor = dashboard._HERE / "vendor"
    for path in vendor.glob("*/*.js"):
        served = text_of(get(path.name))
        published = path.read_text()
        if path.name == "hooks.module.js":
            assert published.count('from"preact"') == 1
            published = published.replace('from"preact"', 'from"./preact.module.js"')
        assert served == published
    assert (vendor / "preact" / "VERSION").read_text() == "10.29.8\n"
    assert "v1.6.32" in text_of(get("uPlot.iife.min.js"))[:200]
