"""The emulator as a Python object, for tests and the command."""

import math
import threading
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Any, Self

from .api import Api
from .catalogue import Catalogue, RegisteredModel
from .faults import Faults
from .jobs import SUCCEEDED, TERMINAL, JobStore
from .layout import Layout
from .lifecycle import Lifecycle, Speed
from .models import KNOWN_MODELS
from .requestlog import RequestLog
from .server import Server
from .storage import Storage
from .tables import Sink, Source, Tables


class VertexEmulator:
    """An emulator of Vertex AI that listens on a local port while it is entered.

        with VertexEmulator(storage_endpoint="http://127.0.0.1:9023", auto=False) as vertex:
            ...  # create a job at vertex.url
            vertex.finish(job_id)

    Args:
        storage_endpoint: Base URL of the Cloud Storage emulator.
        speed: How fast jobs move by themselves.
        auto: Whether they do; else `step` and `finish` move them.
        port: Where to listen; 0 takes a free port.
        project_numbers: Numbers of projects by id; other projects get a stable one.
        models: Google's models that exist beside the real ones.
        seed: For the order of output rows.
        layout: How jobs leave their output, unless their labels say otherwise.
        source: Returns the rows of a BigQuery table that a job reads, given `bq://project.dataset.table`, or
            None if the table does not exist; by default those in `tables`.
        sink: Takes rows, each a dict by column, to add to a BigQuery table; by default into `tables`.

    Attributes:
        requests: What was asked.
        faults: What goes wrong.
        tables: The BigQuery tables in memory.
    """

    def __init__(
        self,
        *,
        storage_endpoint: str,
        speed: Speed | None = None,
        auto: bool = True,
        port: int = 0,
        project_numbers: Mapping[str, str] | None = None,
        models: Collection[str] = (),
        seed: int = 7,
        layout: Layout | None = None,
        source: Source | None = None,
        sink: Sink | None = None,
    ) -> None:
        speed = speed or Speed()
        self.requests = RequestLog()
        self.faults = Faults()
        self._store = JobStore(project_numbers or {}, speed.delete_seconds)
        tables = Tables(source, sink)
        self.tables = tables.memory
        self._lifecycle = Lifecycle(self._store, Storage(storage_endpoint), tables, speed, seed)
        self._catalogue = Catalogue(KNOWN_MODELS | frozenset(models))
        self._api = Api(self._store, self._catalogue, layout or Layout())
        self._server = Server(("127.0.0.1", port), self._api, self)
        self._threads = [threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)]
        if auto:
            self._threads.append(threading.Thread(target=self._lifecycle.run, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lifecycle.stop()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()

    @property
    def host(self) -> str:
        """Return `127.0.0.1:PORT`, the form of VERTEX_EMULATOR_HOST."""
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Return `http://127.0.0.1:PORT`."""
        return f"http://{self.host}"

    def project_number(self, project: str) -> str:
        """Return a project's number, which resource names have instead of its id."""
        return self._store.parent(project, "-").split("/")[1]

    @property
    def layout(self) -> Layout:
        """Return the output layout of new jobs, unless their labels change it."""
        return self._api.layout

    @layout.setter
    def layout(self, layout: Layout) -> None:
        self._api.layout = layout

    def register_model(self, project: str, location: str, **model: Any) -> dict[str, Any]:
        """Add a tuned or custom model to a project's registry, or replace one, and return its resource.

        Args:
            project: The project's id or number.
            location: E.g. `us-central1`.
            **model: The attributes of `catalogue.RegisteredModel`; `id` is needed.

        Raises:
            TypeError: If one is unknown or `id` is missing.
            ValueError: If a value makes no sense.
        """
        return self._catalogue.register(self._store.parent(project, location), RegisteredModel(**model))

    def models(self) -> list[dict[str, Any]]:
        """Return the resources of all registered models."""
        return self._catalogue.all()

    def jobs(self) -> list[dict[str, Any]]:
        """Return the resources of all jobs of all projects, newest first."""
        with self._store.lock:
            return [job.as_json() for job in self._store.all()]

    def job(self, job: str) -> dict[str, Any]:
        """Return a job's resource by its id or name."""
        with self._store.lock:
            return self._store.find(job).as_json()

    def step(self, job: str | None = None, *, rows: int | None = None) -> None:
        """Advance jobs by one step: PENDING to RUNNING, RUNNING to the end, CANCELLING to CANCELLED.

        Deletions that are under way end, too.

        Args:
            job: The id or name of the only one to move; by default all.
            rows: Number of rows of a running job to process.
        """
        for moved in [self._store.find(job)] if job else self._store.all():
            self._lifecycle.step(moved, rows)
        self._store.finish_deletions(math.inf)

    def finish(
        self,
        job: str,
        *,
        state: str = SUCCEEDED,
        error: dict[str, Any] | None = None,
        rows: int | None = None,
        write: bool = True,
    ) -> dict[str, Any]:
        """End a job and return its resource.

        Args:
            job: Its id or name.
            state: The end, e.g. `JOB_STATE_EXPIRED`. Input that can't be read fails the job nevertheless.
            error: The job's `error`, e.g. `{"code": 7, "message": "..."}`.
            rows: How many rows get processed; by default all. With 0 the job never starts.
            write: False leaves `outputInfo` pointing to nothing, as a refused export does.

        Raises:
            ValueError: If `state` isn't an end.
        """
        if state not in TERMINAL:
            raise ValueError(f"{state} is not a terminal state")
        self._lifecycle.finish(self._store.find(job), state, error, rows, write=write)
        return self.job(job)
