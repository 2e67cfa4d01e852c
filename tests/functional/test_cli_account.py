"""Log in, profiles, completion, and the package as it is installed."""

import subprocess
import sys

import pytest

from command_line import SOURCE
from functional.gateway.conftest import json_answer
from functional.gateway.loopback import Loopback
from functional.test_cli import Cli
from functional.tls import Authority, Server, answering
from patience import PATIENCE

JOBS = json_answer({"data": [], "next_page": None})


@pytest.fixture
def server():
    with Loopback() as running:
        running.answers = [JOBS]
        yield running


@pytest.fixture
def cli(server, monkeypatch, capsys, tmp_path):
    made = Cli(server.url, monkeypatch, capsys, tmp_path)
    made.env(GATEWAY_URL=None, GATEWAY_KEY=None)
    return made


@pytest.fixture
def config(tmp_path):
    return tmp_path / "config" / "vbatch" / "config.json"


def key_of(server):
    return server.seen[-1].header("Authorization").removeprefix("Bearer ")


def log_in(cli, monkeypatch, key, *arguments, status=0):
    cli.answer("")
    monkeypatch.setattr("gateway_cli.declaring.getpass.getpass", lambda _: key)
    done = cli("login", *arguments, status=status)
    cli.answer(None)
    return done


def test_a_login_serves_all_later_commands(cli, server, config, monkeypatch):
    logged_in = log_in(cli, monkeypatch, "sk-mine", "--url", f"{server.url}/vertex_ai")
    assert "sk-mine" not in logged_in.out + logged_in.err
    assert key_of(server) == "sk-mine"
    assert config.stat().st_mode & 0o777 == 0o600
    assert config.parent.stat().st_mode & 0o777 == 0o700
    cli("jobs", "list")
    assert key_of(server) == "sk-mine"
    cli.env(GATEWAY_KEY="sk-environment")
    cli("jobs", "list")
    assert key_of(server) == "sk-environment"


def test_a_key_may_come_from_stdin(cli, server, monkeypatch):
    monkeypatch.setattr("sys.stdin.read", lambda: "sk-piped\n")
    cli("login", "--url", server.url)
    cli("jobs", "list")
    assert key_of(server) == "sk-piped"


def test_profiles_are_told_apart(cli, server, monkeypatch):
    log_in(cli, monkeypatch, "sk-a", "--url", server.url)
    log_in(cli, monkeypatch, "sk-b", "--url", server.url, "--profile", "b")
    cli("jobs", "list", "--profile", "b")
    assert key_of(server) == "sk-b"
    cli("jobs", "list")
    assert key_of(server) == "sk-a"
    assert "there are: b, default" in cli("jobs", "list", "--profile", "c", status=2).err


def test_a_key_that_is_refused_is_not_stored(cli, server, config, monkeypatch):
    server.answers = [
        json_answer({"error": {"code": 401, "message": "No.", "status": "UNAUTHENTICATED"}}, 401)
    ]
    log_in(cli, monkeypatch, "sk-wrong", "--url", server.url, status=1)
    assert not config.exists()
    assert "vbatch login" in cli("jobs", "list", status=2).err


def test_a_server_without_tls_is_named_so_with_what_to_try(cli, server, config, monkeypatch):
    told = log_in(cli, monkeypatch, "sk-mine", "--url", server.url.replace("http:", "https:"), status=3).err
    assert "does not speak HTTPS" in told
    assert f"write {server.url};" in told
    assert "ssl" not in told.lower()
    assert not config.exists()


def test_a_certificate_that_nobody_trusts_is_named_so(cli, monkeypatch, tmp_path):
    secure = Server(answering(200), Authority().issue(tmp_path, "127.0.0.1"))
    try:
        told = log_in(cli, monkeypatch, "sk-mine", "--url", f"https://127.0.0.1:{secure.port}", status=3).err
    finally:
        secure.close()
    assert "is not trusted" in told
    assert "REQUESTS_CA_BUNDLE" in told
    assert not secure.requests


def test_a_key_of_a_profile_goes_to_its_own_gateway_only(cli, server, monkeypatch):
    log_in(cli, monkeypatch, "sk-mine", "--url", server.url)
    with Loopback() as other:
        assert "Which key?" in cli("jobs", "list", "--url", other.url, status=2).err
        cli.env(GATEWAY_URL=other.url, GATEWAY_KEY="sk-other")
        other.answers = [JOBS]
        assert "not the URL of the profile" in cli("jobs", "list", "--profile", "default").err
        assert [seen.header("Authorization") for seen in other.seen] == ["Bearer sk-other"]


def test_the_url_of_googles_clients_names_the_same_gateway(cli, server, monkeypatch):
    log_in(cli, monkeypatch, "sk-mine", "--url", server.url)
    cli.env(GATEWAY_URL=f"{server.url}/vertex_ai/")
    cli("jobs", "list")
    assert key_of(server) == "sk-mine"
    monkeypatch.setattr("webbrowser.open", lambda _: True)
    assert cli("open").out == f"{server.url}/dashboard\n"


def test_a_profile_says_where_jobs_run_and_write(cli, server, monkeypatch, tmp_path):
    place = ("--project", "acme", "--location", "global")
    log_in(cli, monkeypatch, "sk-mine", "--url", server.url, *place, "--output-prefix", "gs://out/x")
    server.answers = [json_answer({"name": "projects/1/locations/global/batchPredictionJobs/42"})]
    (tmp_path / "job.json").write_text("{}")
    cli("jobs", "submit", tmp_path / "job.json")
    assert server.seen[-1].target == "/v1/projects/acme/locations/global/batchPredictionJobs"
    cli("jobs", "submit", tmp_path / "job.json", "--project", "other", "--location", "eu")
    assert server.seen[-1].target == "/v1/projects/other/locations/eu/batchPredictionJobs"
    assert "together" in cli("jobs", "submit", tmp_path / "job.json", "--project", "other", status=2).err
    assert "together" in log_in(cli, monkeypatch, "sk", "--url", server.url, "--project", "p", status=2).err


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"profiles": {"default": {"url": 1}}}', '{"x": 1}', "\ud800"]
)
def test_a_file_of_profiles_that_is_invalid_is_named(cli, config, content):
    config.parent.mkdir(parents=True)
    config.write_bytes(content.encode("utf-8", "surrogatepass"))
    config.chmod(0o600)
    assert str(config) in cli("jobs", "list", status=2).err


def test_a_file_of_profiles_that_others_may_read_is_refused(cli, server, config, monkeypatch):
    log_in(cli, monkeypatch, "sk-mine", "--url", server.url)
    config.chmod(0o640)
    assert "chmod 600" in cli("jobs", "list", status=2).err


def test_the_dashboard_is_opened_without_a_key(cli, server, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or False)
    shown = cli("open", "--url", f"{server.url}/")
    assert shown.out == f"{server.url}/dashboard\n"
    assert opened == [f"{server.url}/dashboard"]
    assert "No browser" in shown.err
    assert not server.seen


def test_the_version(cli):
    assert cli("--version").out.startswith("vbatch 20")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_options(cli, shell):
    script = cli("completion", shell).out
    for word in ("vbatch", "watch", "max-cost", "failures"):
        assert word in script


def test_completion_works_in_bash(cli, tmp_path):
    (tmp_path / "script").write_text(cli("completion", "bash").out)
    lines = """
    source ./script
    COMP_WORDS=(vbatch jobs fa); COMP_CWORD=2
    $(complete -p vbatch | sed 's/.*-F \\([^ ]*\\).*/\\1/') vbatch fa jobs
    echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(  # noqa: S603 - our own script
        ["bash", "-c", lines],  # noqa: S607 - the user's own bash
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.split() == ["failures"]


def test_help_imports_neither_requests_nor_rich():
    code = f"""
import sys
sys.path.insert(0, {str(SOURCE)!r})
from gateway_cli.cli import parser
parser().format_help()
print(sorted({{"requests", "rich", "shtab"}} & set(sys.modules)))
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == "[]\n"
