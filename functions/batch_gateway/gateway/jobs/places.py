"""Check that a project and location are served, and map project numbers to ids."""

from threading import Lock

from batch_gateway.core.access import ids
from batch_gateway.core.errors import ApiError
from batch_gateway.logs import log
from batch_gateway.ports import ProjectStore, StoreUnavailableError
from batch_gateway.settings import Settings


class Places:
    """The places that are served, and the numbers of their projects.

    Vertex AI writes the project's number into every name that it returns, and clients call back with
    it, so numbers are learnt from names and kept in Firestore for the other instances.
    """

    def __init__(self, settings: Settings, store: ProjectStore) -> None:
        self._settings = settings
        self._store = store
        self._lock = Lock()
        self._numbers: dict[str, str] = {}

    def check(self, project: str, location: str) -> str:
        """Return the id of the project in a path.

        Raises:
            ApiError: Project or location is malformed or not served.
            StoreUnavailableError: The project is a number whose id cannot be looked up now.
        """
        ids.check_place(project, location)
        project_id = self._id_of(project)
        if not self._settings.serves(project_id, location):
            hint = (
                " If this is the number of a project that is served, call once with the project's id."
                if project_id.isdigit()
                else ""
            )
            raise ApiError(
                "PERMISSION_DENIED",
                "PROJECT_NOT_ALLOWED",
                f"The gateway does not serve projects/{project}/locations/{location}. Ask its "
                f"administrator to add them to its model_list, or use a place that it serves.{hint}",
                metadata={"project": project, "location": location},
            )
        return project_id

    def with_project_id(self, resource: str) -> str:
        """Return a resource name with the number of a served project replaced by its id."""
        head, _, rest = resource.removeprefix("projects/").partition("/")
        return f"projects/{self._id_of(head)}/{rest}" if resource.startswith("projects/") else resource

    def _id_of(self, project: str) -> str:
        if not project.isdigit() or project in self._settings.projects:
            return project
        return self._numbers.get(project) or self._look_up(project) or project

    def learn(self, number: str, project_id: str) -> None:
        """Record that ``number`` is the number of the project ``project_id``."""
        if number == project_id or self._numbers.get(number) == project_id:
            return
        try:
            if self._store.project_of_number(number) != project_id:
                self._store.remember_project(number, project_id)
        except StoreUnavailableError as error:
            log("WARNING", "project number not stored", number=number, project=project_id, error=error)
            return
        with self._lock:
            self._numbers[number] = project_id

    def _look_up(self, number: str) -> str | None:
        found = self._store.project_of_number(number)
        if found:
            with self._lock:
                self._numbers[number] = found
        return found
