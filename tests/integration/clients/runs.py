"""Runs the clients' programs, each in its own environment and in front of a recorder of its own."""

import json
import os
import re
import shutil
import subprocess
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple
from urllib.parse import urlsplit

import requests

from integration.clients import environments
from integration.clients.recorder import Recorder
from patience import PATIENCE
from stack import INPUT_BUCKET, LOCATION, OUTPUT_BUCKET, PROJECT

HERE = Path(__file__).parent
LIBRARIES = {
    "python-current": ("google.genai", "googleapiclient.discovery"),
    "python-aiplatform": ("google.genai", "vertexai.batch_prediction"),
    "python-1": ("google.genai", "vertexai.batch_prediction"),
    "python-focus": ("focus_validator.main",),
}
"""Modules that most programs of an environment import; vertexai brings google.cloud.aiplatform."""
MODEL = "gemini-3.5-flash"


class Client(NamedTuple):
    """One run of one client.

    Attributes:
        environment: Which one the program needs; "" for none.
        command: The program and its arguments.
        prefix: What stands before the version in its base URL.
        team: The team of the API key that it gets; "" for the administrator's key.
    """

    environment: str
    command: str
    prefix: str = ""
    team: str = ""


# Both ways to send the key and both ways to write the base URL are spread over them.
CLIENTS = {
    "genai-3": Client("python-current", "client_genai.py sync bearer"),
    "genai-3-async": Client("python-current", "client_genai.py async api-key", "/vertex_ai"),
    "genai-2": Client("python-aiplatform", "client_genai.py sync api-key"),
    "genai-1": Client("python-1", "client_genai.py sync bearer", "/vertex_ai"),
    "gapic-2-v1": Client("python-aiplatform", "client_gapic.py v1 bearer"),
    "gapic-2-v1beta1": Client("python-aiplatform", "client_gapic.py v1beta1 api-key", "/vertex_ai"),
    "aiplatform-2": Client("python-aiplatform", "client_aiplatform.py"),
    "aiplatform-1": Client("python-1", "client_aiplatform.py", "/vertex_ai"),
    "vertexai-2": Client("python-aiplatform", "client_vertexai.py", "/vertex_ai"),
    "vertexai-1": Client("python-1", "client_vertexai.py"),
    "discovery-v1": Client("python-current", "client_discovery.py v1"),
    "discovery-v1beta1": Client("python-current", "client_discovery.py v1beta1", "/vertex_ai"),
    "node-genai": Client("node", "client_genai.mjs bearer"),
    "node-genai-api-key": Client("node", "client_genai.mjs api-key", "/vertex_ai"),
    "node-aiplatform-v1": Client("node", "client_aiplatform.mjs v1"),
    "node-aiplatform-v1beta1": Client("node", "client_aiplatform.mjs v1beta1"),
    "curl-v1": Client("", "client_curl.sh v1 bearer"),
    "curl-v1beta1": Client("", "client_curl.sh v1beta1 api-key", "/vertex-ai"),
    "curl-query-key": Client("", "client_curl.sh v1 query", "/vertex_ai"),
}
# The same with a key that sees its team's jobs only.
TEAM_CLIENTS = {
    "team-genai-3": Client("python-current", "client_genai.py sync bearer", team="search"),
    "team-node-aiplatform": Client("node", "client_aiplatform.mjs v1", team="mail"),
}
ALL_CLIENTS = CLIENTS | TEAM_CLIENTS


def run_name(client):
    """Return how the names of a client's jobs begin; none is the beginning of another, followed by a dash."""
    return client.replace("-", "_")


def upstream(stack):
    """The requests that reached the Vertex emulator."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(f"{stack.vertex_url}/emulator/requests", timeout=PATIENCE).json()["requests"]


class Run(NamedTuple):
    """Result of a run: the program's JSON, and the requests that it sent."""

    result: dict
    sent: Recorder


class Preloaded:
    """Runs an environment's Python programs with its libraries imported already; see preloaded.py."""

    def __init__(self, environment, folder):
        self._environment, self._folder = environment, folder
        self._variables = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        self._process = subprocess.Popen(  # noqa: S603 - a program of this folder
            [environments.interpreter(environment), HERE / "preloaded.py", *LIBRARIES[environment]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self._variables,
        )
        self._numbers, self._ended, self._lock = count(), {}, threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(PATIENCE)

    def run(self, program, *arguments, folder=None, **variables):
        """Runs a program to its end, as subprocess.run would."""
        ended = Future()
        with self._lock:
            number = next(self._numbers)
            out, err = (self._folder / f"{self._environment}-{number}.{name}" for name in ("out", "err"))
            task = {
                "number": number,
                "program": str(program),
                "arguments": arguments,
                "folder": str(folder or self._folder),
                "variables": self._variables | variables,
                "out": str(out),
                "err": str(err),
            }
            self._ended[number] = ended
            self._process.stdin.write(f"{json.dumps(task)}\n".encode())
            self._process.stdin.flush()
        status = ended.result(3 * PATIENCE)
        return subprocess.CompletedProcess([program, *arguments], status, out.read_text(), err.read_text())

    def _listen(self):
        for line in self._process.stdout:
            said = json.loads(line)
            self._ended.pop(said["number"]).set_result(said["status"])


class Runner:
    """Starts programs in a folder where they find their packages; what it started itself ends with it."""

    def __init__(self, stack, folder):
        self._stack = stack
        self._folder = folder
        # Each client is mostly waiting: for its imports to be read, for its job to end.
        self._pool = ThreadPoolExecutor(2 * (os.cpu_count() or 1) + 2)
        self._closing, self._lock = ExitStack(), threading.Lock()
        self._started, self._environments = {}, {}

    def close(self):
        self._pool.shutdown(cancel_futures=True)
        self._closing.close()

    def submit(self, function, *arguments):
        """A future of what a function returns, called beside the clients."""
        return self._pool.submit(function, *arguments)

    def start(self, name):
        if name not in self._started:
            self._started[name] = self._pool.submit(self._run, name)

    def run(self, name):
        """The run of a client, which is waited for."""
        self.start(name)
        return self._started[name].result()

    def recorder(self, gateway_url=None):
        """A recorder in front of a gateway."""
        gateway = urlsplit(gateway_url or self._stack.gateway_url)
        return self._closing.enter_context(Recorder(gateway.hostname, gateway.port))

    def new_key(self, alias, **limits):
        """An API key of the gateway."""
        answer = self._stack.request("POST", "/key/generate", json={"key_alias": alias, **limits})
        assert answer.status_code == 200, f"POST /key/generate: {answer.status_code} {answer.text}"
        return answer.json()["key"]

    def _run(self, name):
        client = ALL_CLIENTS[name]
        key = self._stack.master_key
        if client.team:
            self._stack.request("POST", "/team/new", json={"team_id": client.team})
            key = self.new_key(name, team_id=client.team)
        return self.run_command(name, client.environment, client.command, prefix=client.prefix, key=key)

    def run_command(self, name, environment, command, *, gateway_url=None, prefix="", key, **more):
        """Runs a client's program to its end, with a name that its jobs' names begin with."""
        sent = self.recorder(gateway_url)
        variables = {
            "GATEWAY_URL": sent.url + prefix,
            "GATEWAY_KEY": key,
            "GATEWAY_PROJECT": PROJECT,
            "GATEWAY_LOCATION": LOCATION,
            "MODEL": MODEL,
            "RUN": run_name(name),
            "INPUT": f"gs://{INPUT_BUCKET}/short.jsonl",
            "LONG_INPUT": f"gs://{INPUT_BUCKET}/long.jsonl",
            "OUTPUT": f"gs://{OUTPUT_BUCKET}/{name}",
            **more,
        }
        program, *arguments = command.split()
        printed = self.execute(environment, HERE / program, *arguments, **variables)
        # Some libraries log to the standard output; the result comes last.
        return Run(json.loads(re.split(r"^(?={)", printed, flags=re.MULTILINE)[-1]), sent)

    def execute(self, environment, program, *arguments, **variables):
        """Runs a program in an environment and returns what it prints; it has to succeed."""
        # Nothing of the machine's own Google set-up; loopback without a proxy.
        variables |= {"NO_PROXY": "127.0.0.1"}
        if program.suffix == ".py":
            done = self._preloaded(environment).run(program, *arguments, **variables)
        else:
            command = {".mjs": "node", ".sh": "bash"}[program.suffix]
            if program.suffix == ".mjs":
                program = self._beside_packages(program)
            done = subprocess.run(  # noqa: S603 - programs of this folder
                [command, program, *arguments],
                env={"PATH": os.environ["PATH"], "HOME": str(self._folder)} | variables,
                cwd=self._folder,
                capture_output=True,
                text=True,
                timeout=3 * PATIENCE,
                check=False,
            )
        assert done.returncode == 0, f"{program.name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def _preloaded(self, environment):
        # Not under the lock: to make one takes a while, and others can be made at the same time.
        environments.interpreter(environment)
        with self._lock:
            if environment not in self._environments:
                started = self._closing.enter_context(Preloaded(environment, self._folder))
                self._environments[environment] = started
            return self._environments[environment]

    def _beside_packages(self, program):
        """Node looks for packages beside a program only, so the program goes to them."""
        folder = Path(mkdtemp(dir=self._folder))
        (folder / "node_modules").symlink_to(environments.node_modules())
        shutil.copy(HERE / "walk.mjs", folder)
        return Path(shutil.copy(program, folder))
