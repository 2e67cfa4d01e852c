"""The ports without any service: for functional tests, and held to the same contract as the real ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from threading import RLock

import msgspec

from batch_gateway.core.books import Cell, ItemTotal, Output
from batch_gateway.core.jobs import JobKey, JobRecord, Observation, newer
from batch_gateway.core.keys import KeyRecord, TeamRecord
from batch_gateway.ports import (
    AliasTakenError,
    AuditEntry,
    ObjectChangedError,
    ObjectInfo,
    Settlement,
    StoreUnavailableError,
    Submission,
)


class MemoryStore:
    """The Store port in dicts.

    Attributes:
        down: While true, every call raises StoreUnavailableError.
        writes: Number of calls that changed something.
    """

    def __init__(self) -> None:
        self.down = False
        self.writes = 0
        self.submissions: dict[str, Submission] = {}
        self._lock = RLock()
        self._jobs: dict[JobKey, JobRecord] = {}
        self._outputs: dict[JobKey, dict[str, Output]] = {}
        self._cells: dict[str, Cell] = {}
        self._parked: dict[str, Output] = {}
        self._projects: dict[str, str] = {}

    def ping(self) -> None:
        """See Store."""
        if self.down:
            raise StoreUnavailableError("down")

    def begin_submission(self, submission: Submission) -> Submission | None:
        """See Store."""
        self._writing()
        with self._lock:
            there = self.submissions.get(submission.id)
            self.submissions.setdefault(submission.id, submission)
        return there

    def retake_submission(self, old: Submission, new: Submission) -> bool:
        """See Store."""
        self._writing()
        with self._lock:
            if self.submissions.get(old.id) != old:
                return False
            self.submissions[old.id] = new
        return True

    def drop_submission(self, submission_id: str) -> None:
        """See Store."""
        self._writing()
        self.submissions.pop(submission_id, None)

    def add_job(self, job: JobRecord, submission: Submission | None = None) -> None:
        """See Store."""
        self._writing()
        self._jobs.setdefault(job.key, job)
        if submission and submission.answer is not None:
            self.submissions[submission.id] = submission
        elif submission:
            self.submissions.pop(submission.id, None)

    def get_job(self, key: JobKey) -> JobRecord | None:
        """See Store."""
        self.ping()
        return self._jobs.get(key)

    def observe(self, seen: Mapping[JobKey, Observation]) -> dict[JobKey, JobRecord]:
        """See Store."""
        self.ping()
        records = {}
        with self._lock:
            for key, observation in seen.items():
                job = self._jobs.get(key)
                if job is None:
                    continue
                now = newer(job.seen, observation)
                if now != job.seen:
                    self.writes += 1
                    job = self._jobs[key] = msgspec.structs.replace(job, seen=now)
                records[key] = job
        return records

    def close_job(self, key: JobKey) -> None:
        """See Store."""
        self._writing()
        with self._lock:
            self._jobs[key] = msgspec.structs.replace(self._jobs[key], closed=True)

    def jobs_by_directory(self, directory: str) -> list[JobRecord]:
        """See Store."""
        self.ping()
        return [job for job in self._jobs.values() if job.seen.output_directory == directory]

    def jobs_without_directory(self, output_prefix: str, limit: int) -> list[JobRecord]:
        """See Store."""
        self.ping()
        found = [
            job
            for job in self._jobs.values()
            if job.seen.output_prefix == output_prefix
            and job.seen.output_directory is None
            and not job.closed
        ]
        return found[:limit]

    def get_outputs(self, key: JobKey) -> list[Output]:
        """See Store."""
        self.ping()
        return sorted(self._outputs.get(key, {}).values(), key=lambda output: output.uri)

    def get_job_and_outputs(self, key: JobKey) -> tuple[JobRecord, list[Output]] | None:
        """See Store."""
        with self._lock:
            job = self.get_job(key)
            return (job, self.get_outputs(key)) if job else None

    def settle(self, key: JobKey, output: Output, settlement: Settlement) -> JobRecord | None:
        """See Store."""
        self.ping()
        with self._lock:
            outputs = self._outputs.setdefault(key, {})
            change = settlement(self._jobs[key], outputs.get(output.id))
            if change is None:
                return None
            self.writes += 1
            job, moved = change
            self._jobs[key] = job
            outputs[output.id] = output
            for total, movement in moved:
                cell = self._cells.get(total.id) or Cell(**msgspec.structs.asdict(total))
                hours, items = dict(cell.hours), dict(cell.items)
                hours[str(movement.hour)] = hours.get(str(movement.hour), 0) + movement.amount_nano
                for item in movement.quantities.keys() | movement.amounts_nano.keys():
                    before = items.get(item, ItemTotal())
                    items[item] = ItemTotal(
                        before.quantity + movement.quantities.get(item, 0),
                        before.amount_nano + movement.amounts_nano.get(item, 0),
                    )
                self._cells[total.id] = msgspec.structs.replace(cell, hours=hours, items=items)
            return job

    def park(self, output: Output) -> None:
        """See Store."""
        self._writing()
        self._parked[output.id] = output

    def get_parked(self) -> list[Output]:
        """See Store."""
        self.ping()
        return list(self._parked.values())

    def get_totals(self, day: str) -> list[Cell]:
        """See Store."""
        self.ping()
        return [cell for cell in self._cells.values() if cell.day == day]

    def project_of_number(self, number: str) -> str | None:
        """See Store."""
        self.ping()
        return self._projects.get(number)

    def remember_project(self, number: str, project: str) -> None:
        """See Store."""
        self._writing()
        self._projects[number] = project

    def _writing(self) -> None:
        self.ping()
        self.writes += 1


class MemoryObjects:
    """The ObjectStore port in a dict."""

    def __init__(self) -> None:
        self._objects: dict[tuple[str, str], tuple[ObjectInfo, bytes]] = {}
        self._generation = 0

    def put(self, bucket: str, name: str, data: bytes) -> ObjectInfo:
        """Writes an object; one that was there is overwritten."""
        self._generation += 1
        info = ObjectInfo(name, self._generation, len(data), datetime.now(UTC))
        self._objects[bucket, name] = (info, data)
        return info

    def delete(self, bucket: str, name: str) -> None:
        """Deletes an object."""
        del self._objects[bucket, name]

    def stat(self, bucket: str, name: str) -> ObjectInfo | None:
        """See ObjectStore."""
        found = self._objects.get((bucket, name))
        return found[0] if found else None

    def read(self, bucket: str, name: str, generation: int) -> Iterator[bytes]:
        """See ObjectStore."""
        info, data = self._objects.get((bucket, name), (None, b""))
        if info is None or info.generation != generation:
            raise ObjectChangedError(f"gs://{bucket}/{name}#{generation}")
        yield from (data[start : start + 7] for start in range(0, len(data), 7))

    def list(self, bucket: str, prefix: str) -> Iterable[ObjectInfo]:
        """See ObjectStore."""
        return [
            info
            for (b, name), (info, _) in sorted(self._objects.items())
            if b == bucket and name.startswith(prefix)
        ]


class MemoryKeys:
    """The KeyStore and Audit ports in dicts.

    Attributes:
        down: While true, every call raises StoreUnavailableError.
    """

    def __init__(self) -> None:
        self.down = False
        self._lock = RLock()
        self._keys: dict[str, KeyRecord] = {}
        self._teams: dict[str, TeamRecord] = {}
        self._taken: dict[tuple[str, str], int] = {}
        self._audit: list[AuditEntry] = []

    def get_key(self, token: str) -> KeyRecord | None:
        """See KeyStore."""
        self._check()
        return self._keys.get(token)

    def list_keys(self, team_id: str | None = None) -> list[KeyRecord]:
        """See KeyStore."""
        self._check()
        found = [key for key in self._keys.values() if team_id is None or key.team_id == team_id]
        return sorted(found, key=lambda key: (key.key_alias, key.created_at))

    def list_secrets(self, key_id: str) -> list[KeyRecord]:
        """See KeyStore."""
        return [key for key in self.list_keys() if key.key_id == key_id]

    def add_key(self, key: KeyRecord) -> None:
        """See KeyStore."""
        self._check()
        with self._lock:
            self._check_alias(key)
            self._keys[key.token] = key

    def change_key(self, token: str, change: Callable[[KeyRecord], KeyRecord]) -> KeyRecord | None:
        """See KeyStore."""
        self._check()
        with self._lock:
            if token not in self._keys:
                return None
            key = change(self._keys[token])
            self._check_alias(key)
            self._keys[token] = key
            return key

    def delete_key(self, token: str) -> KeyRecord | None:
        """See KeyStore."""
        self._check()
        return self._keys.pop(token, None)

    def get_team(self, team_id: str) -> TeamRecord | None:
        """See KeyStore."""
        self._check()
        return self._teams.get(team_id)

    def list_teams(self) -> list[TeamRecord]:
        """See KeyStore."""
        self._check()
        return sorted(self._teams.values(), key=lambda team: team.team_id)

    def change_team(
        self, team_id: str, change: Callable[[TeamRecord | None], TeamRecord | None]
    ) -> TeamRecord | None:
        """See KeyStore."""
        self._check()
        with self._lock:
            team = change(self._teams.get(team_id))
            if team is not None:
                self._teams[team_id] = team
            return team

    def delete_team(self, team_id: str) -> None:
        """See KeyStore."""
        self._check()
        self._teams.pop(team_id, None)

    def take(self, counter: str, minute: str, portion: int, limit: int) -> int:
        """See KeyStore."""
        self._check()
        with self._lock:
            taken = self._taken.get((counter, minute), 0)
            more = max(0, min(portion, limit - taken))
            self._taken[counter, minute] = taken + more
            return more

    def append(self, entry: AuditEntry) -> None:
        """See Audit."""
        self._check()
        self._audit.append(entry)

    def read(self, start: datetime | None, end: datetime | None, limit: int) -> list[AuditEntry]:
        """See Audit."""
        self._check()
        found = [
            entry
            for entry in self._audit
            if (start is None or start <= entry.time) and (end is None or entry.time < end)
        ]
        return sorted(found, key=lambda entry: entry.time, reverse=True)[:limit]

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailableError("down")

    def _check_alias(self, key: KeyRecord) -> None:
        for other in self._keys.values():
            if other.key_alias == key.key_alias and other.key_id != key.key_id:
                raise AliasTakenError(key.key_alias)
