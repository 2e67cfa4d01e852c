"""Finding, fetching and starting Firestore's emulator."""

import hashlib
import os
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from firestore_emulator import (
    RELEASE,
    FirestoreEmulator,
    Release,
    cached_jar,
    fetch_jar,
    find_jar,
    find_java,
    sdk_roots,
)
from patience import PATIENCE
from processes import LocalStackError, free_ports

JAR = "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"
CONTENT = b"as good as a jar" * 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    """Serves CONTENT at any path but /missing, and half of it at /half."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(404 if self.path == "/missing" else 200)
            self.send_header("content-length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT[: len(CONTENT) // 2] if self.path == "/half" else CONTENT)

        def log_message(self, *_):
            pass

    loopback = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=loopback.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{loopback.server_port}"
    loopback.shutdown()
    thread.join()
    loopback.server_close()


def release(url, sha256=SHA256):
    return Release(version="9.9.9", url=url, size=len(CONTENT), sha256=sha256)


def put_jar(root):
    path = root / JAR
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    return path


def put_java(directory, version, status=0):
    """Writes a `java` that says this version, on stderr as java does."""
    directory.mkdir(parents=True, exist_ok=True)
    java = directory / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\nexit {status}\n")
    java.chmod(0o755)
    return java


def test_the_gcloud_in_use_is_asked_first_through_its_symlink(tmp_path):
    sdk = tmp_path / "opt" / "google-cloud-sdk"
    (sdk / "bin").mkdir(parents=True)
    (sdk / "bin" / "gcloud").write_text("")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "gcloud").symlink_to(sdk / "bin" / "gcloud")

    roots = list(sdk_roots(which=lambda _: str(tmp_path / "bin" / "gcloud"), home=tmp_path / "home"))

    assert roots[0] == sdk
    assert [str(each) for each in roots[1:]] == [
        "/usr/lib/google-cloud-sdk",
        str(tmp_path / "home" / "google-cloud-sdk"),
        "/opt/homebrew/share/google-cloud-sdk",
        "/opt/homebrew/Caskroom/gcloud-cli/latest/google-cloud-sdk",
        "/opt/homebrew/Caskroom/google-cloud-sdk/latest/google-cloud-sdk",
        "/usr/local/share/google-cloud-sdk",
        "/usr/local/Caskroom/gcloud-cli/latest/google-cloud-sdk",
        "/usr/local/Caskroom/google-cloud-sdk/latest/google-cloud-sdk",
    ]


def test_without_gcloud_only_the_usual_places_are_searched(tmp_path):
    assert str(next(sdk_roots(which=lambda _: None, home=tmp_path))) == "/usr/lib/google-cloud-sdk"


def test_an_installed_jar_comes_before_a_cached_one_and_the_first_installation_before_the_next(tmp_path):
    roots = [tmp_path / "empty", tmp_path / "first", tmp_path / "second"]
    cache = tmp_path / "cache"
    assert find_jar(iter(roots), cache) is None
    cache.mkdir()
    cached_jar(cache).write_bytes(b"")
    assert find_jar(iter(roots), cache) == cached_jar(cache)
    second = put_jar(roots[2])
    assert find_jar(iter(roots), cache) == second
    first = put_jar(roots[1])
    assert find_jar(iter(roots), cache) == first


def test_an_emulator_that_runs_already_is_used_and_nothing_started(tmp_path):
    env = {"FIRESTORE_EMULATOR_HOST": "localhost:1234"}

    emulator = FirestoreEmulator(1, tmp_path / "log", env, cache=tmp_path)

    assert emulator.host == "localhost:1234"
    assert emulator.process is None


def test_the_pinned_release_is_fetched_over_https_from_google():
    assert RELEASE.url.startswith("https://storage.googleapis.com/firebase-preview-drop/emulator/")
    assert RELEASE.version in RELEASE.url
    assert len(bytes.fromhex(RELEASE.sha256)) == 32


def test_a_download_with_the_right_checksum_is_cached(tmp_path, server):
    wanted = release(f"{server}/jar")

    jar = fetch_jar(tmp_path / "cache", wanted)

    assert jar.read_bytes() == CONTENT
    assert list(jar.parent.iterdir()) == [jar]
    assert find_jar(iter([]), tmp_path / "cache", wanted) == jar


def test_a_download_with_a_wrong_checksum_is_refused_and_leaves_no_file(tmp_path, server):
    wanted = release(f"{server}/jar", sha256="0" * 64)

    with pytest.raises(LocalStackError) as caught:
        fetch_jar(tmp_path, wanted)

    assert SHA256 in str(caught.value)
    assert "0" * 64 in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/missing", "/half"])
def test_a_download_that_fails_says_what_else_to_do_and_leaves_no_file(tmp_path, server, path):
    with pytest.raises(LocalStackError, match="gcloud components install cloud-firestore-emulator"):
        fetch_jar(tmp_path, release(server + path))

    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_no_traceback(tmp_path):
    with pytest.raises(LocalStackError, match="cannot be downloaded"):
        fetch_jar(tmp_path, release(f"http://127.0.0.1:{free_ports(1)[0]}/jar"))


@pytest.fixture
def no_homebrew(monkeypatch):
    monkeypatch.setattr("firestore_emulator.HOMEBREW_JAVA", ())


@pytest.mark.usefixtures("no_homebrew")
@pytest.mark.parametrize(
    ("version", "status", "said"),
    [
        (None, 0, "none was found"),
        ("1.8.0_392", 0, "is Java 8"),
        ("17.0.15", 0, "is Java 17"),
        # macOS's placeholder.
        ("21.0.1", 1, "none was found"),
    ],
)
def test_no_java_or_an_old_one_is_said_with_the_commands_that_help(tmp_path, version, status, said):
    if version:
        put_java(tmp_path, version, status)

    with pytest.raises(LocalStackError) as caught:
        find_java(21, {"PATH": str(tmp_path)})

    assert "Java 21 or newer" in str(caught.value)
    assert said in str(caught.value)
    assert "apt-get install default-jre-headless" in str(caught.value)
    assert "brew install openjdk" in str(caught.value)


@pytest.mark.parametrize("version", ["21", "21.0.2", "22-ea", "25.0.1"])
def test_java_home_comes_before_the_path_and_an_old_one_is_passed_over(tmp_path, version):
    good = put_java(tmp_path / "path", version)
    env = {"PATH": str(tmp_path / "path"), "JAVA_HOME": str(tmp_path / "home")}
    put_java(tmp_path / "home" / "bin", "11.0.1")
    assert find_java(21, env) == str(good)
    better = put_java(tmp_path / "home" / "bin", version)
    assert find_java(21, env) == str(better)


@pytest.mark.usefixtures("no_homebrew")
def test_the_jar_itself_says_which_java_it_needs(tmp_path):
    with zipfile.ZipFile(cached_jar(tmp_path), "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: a.b.Main\r\n")
        jar.writestr("a/b/Main.class", bytes.fromhex("cafebabe") + (0).to_bytes(2) + (65).to_bytes(2))
    put_java(tmp_path, "17.0.15")

    with pytest.raises(LocalStackError, match=r"Java 21 or newer, and .* is Java 17"):
        FirestoreEmulator(1, tmp_path / "log", {"PATH": str(tmp_path)}, cache=tmp_path, roots=iter([]))


def test_the_emulator_starts_answers_and_ends(tmp_path):
    port = free_ports(1)[0]
    env = {name: value for name, value in os.environ.items() if name != "FIRESTORE_EMULATOR_HOST"}
    emulator = FirestoreEmulator(port, tmp_path / "log", env)
    assert emulator.process
    emulator.process.start()
    try:
        emulator.process.wait_ready()
        url = f"http://{emulator.host}/v1/projects/p/databases/(default)/documents"
        written = {"fields": {"n": {"integerValue": "1"}}}
        requests.patch(f"{url}/c/d", json=written, timeout=PATIENCE).raise_for_status()
        assert requests.get(f"{url}/c/d", timeout=PATIENCE).json()["fields"] == written["fields"]
    finally:
        emulator.process.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=2)
