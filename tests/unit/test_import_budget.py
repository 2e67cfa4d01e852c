"""A cold start imports what it needs and no more: sets of packages, since times differ between machines."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from patience import PATIENCE

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
REPORT = """
import json, sys
installed = {
    name.partition(".")[0]
    for name, module in list(sys.modules.items())
    if "site-packages" in (getattr(module, "__file__", None) or "")
}
print(json.dumps({"modules": list(sys.modules), "installed": sorted(installed)}))
"""
SERVE = """
from batch_gateway import wiring
from werkzeug.test import EnvironBuilder
answer = wiring.gateway().handle(EnvironBuilder(path={path!r}, headers={headers!r}).get_request())
assert answer.status_code == 200, answer.get_data()
"""
SETTLE = """
from batch_gateway import wiring
wiring.settlement()
"""
# What a .pth file of the environment imports into every interpreter.
TOOLS = {"_distutils_hack", "setuptools", "_virtualenv", "coverage"}
LIST = "/v1/projects/local-project/locations/us-central1/batchPredictionJobs"


class _Handler(BaseHTTPRequestHandler):
    """Vertex AI without a job, and Cloud Storage without an object."""

    def do_GET(self):
        body = b"{}"
        self.send_response(200 if self.path.startswith(LIST) else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextmanager
def outside():
    """Where Vertex AI and Cloud Storage are."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def imported_after(code=""):
    """(modules, packages from site-packages) that a new interpreter has after `import main` and the code."""
    with outside() as host:
        env = {
            "PATH": os.environ["PATH"],
            "GOOGLE_CLOUD_PROJECT": "local-project",
            "GATEWAY_MASTER_KEY": "sk-a-key",
            "FIRESTORE_EMULATOR_HOST": "127.0.0.1:9",
            "STORAGE_EMULATOR_HOST": f"http://{host}",
            "VERTEX_EMULATOR_HOST": host,
        }
        run = subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", f"import main\n{code}\n{REPORT}"],
            cwd=FUNCTIONS,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout.splitlines()[-1])
    return set(report["modules"]), set(report["installed"])


def serve(path, **headers):
    return SERVE.format(path=path, headers=headers)


def packages(modules):
    """The modules and all that they are in."""
    return {".".join(name.split(".")[: n + 1]) for name in modules for n in range(name.count(".") + 1)}


def test_a_start_imports_nothing_that_only_a_request_needs():
    modules, installed = imported_after()

    assert installed - TOOLS <= {"msgspec", "typing_extensions", "yaml"}
    sdks = {
        "google.cloud.bigquery",
        "google.cloud.storage",
        "google.cloud.firestore",
        "google.cloud.firestore_v1",
        "google.auth",
    }
    others = {"grpc", "requests", "urllib3", "flask", "werkzeug", "asyncio", "ssl"}
    adapters = {"batch_gateway.adapters", "batch_gateway.gateway"}
    assert not packages(modules) & (sdks | others | adapters)


def test_a_start_imports_few_modules():
    modules, _ = imported_after()

    others = {name for name in modules if name.partition(".")[0] != "batch_gateway"}
    assert len(others) < 205


def test_the_first_request_imports_no_storage():
    modules, _ = imported_after(serve(LIST, Authorization="Bearer sk-a-key"))

    assert {"google.cloud.firestore_v1", "requests", "batch_gateway.gateway.app"} <= modules
    assert not packages(modules) & {"google.cloud.storage", "google.resumable_media", "google_crc32c"}
    assert "google.cloud.bigquery" not in modules


def test_the_first_event_imports_no_web_application():
    # functions-framework, which runs it, has Flask of its own; settle adds nothing to that.
    modules, installed = imported_after(SETTLE)

    assert {"google.cloud.firestore_v1", "google.cloud.storage"} <= modules
    assert not {"batch_gateway.gateway", "google.cloud.bigquery"} & modules
    assert not installed & {"flask", "werkzeug", "jinja2", "functions_framework"}
