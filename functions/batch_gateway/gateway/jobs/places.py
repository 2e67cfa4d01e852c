"""Which project and location a request is for, and whether they are served."""

from threading import Lock

from batch_gateway.core.access import ids
from batch_gateway.core.errors import ApiError
from batch_gateway.logs import log
from batch_gateway.ports import Store, StoreUnavailableError
from batch_gateway.settings import Settings


class Places:
    """Maps what stands in a path to a served project's id.

    Vertex AI writes the project's number into every name that it returns, and clients call back with
    it, so numbers are learnt from names and kept in the books for the other instances.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._lock = Lock()
        self._numbers: dict[str, str] = {}

    def check(self, project: str, location: str) -> str:
        """The id of the project in a path.

        Raises:
            ApiError: It is malformed or not served.
            StoreUnavailableError: It is a number, and what it belongs to can't be looked up now.
        """
        ids.check_place(project, location)
        project_id = self._id_of(project)
        if not self._settings.serves(project_id, location):
            hint = (
                " If this is the number of a served project, call once with the project's id."
                if project_id.isdigit()
                else ""
            )
            raise ApiError(
                "PERMISSION_DENIED",
                "PROJECT_NOT_ALLOWED",
                f"The gateway does not serve projects/{project}/locations/{location}. Ask its "
                f"administrator to add them to its model_list, or use ones that are there.{hint}",
                metadata={"project": project, "location": location},
            )
        return project_id

    def with_project_id(self, resource: str) -> str:
        """A resource name with the id of a served project in place of its number."""
        head, _, rest = resource.removeprefix("projects/").partition("/")
        return f"projects/{self._id_of(head)}/{rest}" if resource.startswith("projects/") else resource

    def _id_of(self, project: str) -> str:
        if not project.isdigit() or project in self._settings.projects:
            return project
        return self._numbers.get(project) or self._look_up(project) or project

    def learn(self, number: str, project_id: str) -> None:
        """Notes that Vertex AI writes ``number`` for ``project_id``."""
        if number == project_id or self._numbers.get(number) == project_id:
            return
        try:
            if self._store.project_of_number(number) != project_id:
                self._store.remember_project(number, project_id)
        except StoreUnavailableError as error:
            log("WARNING", "project number not noted", number=number, project=project_id, error=error)
            return
        with self._lock:
            self._numbers[number] = project_id

    def _look_up(self, number: str) -> str | None:
        found = self._store.project_of_number(number)
        if found:
            with self._lock:
                self._numbers[number] = found
        return found
