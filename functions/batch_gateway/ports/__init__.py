"""Define what the use cases need from outside systems, as protocols that adapters implement.

``tests/fakes`` implements those of Firestore and Cloud Storage in memory; tests/contract runs the same tests
against both.
"""

from batch_gateway.ports.job_times import JobTimeStore
from batch_gateway.ports.keys import AliasTakenError, Audit, AuditEntry, KeyStore, Report, TeamDeletedError
from batch_gateway.ports.objects import (
    ObjectChangedError,
    ObjectExistsError,
    ObjectInfo,
    ObjectsRefusedError,
    ObjectStore,
    ObjectsUnavailableError,
)
from batch_gateway.ports.outbox import (
    Endpoint,
    Endpoints,
    Outbox,
    Receivers,
    Reply,
    Topic,
    UnreachableError,
)
from batch_gateway.ports.prices import PriceStore
from batch_gateway.ports.records import RecordError, Unreadable
from batch_gateway.ports.settled_outputs import OutputStore, Settlement
from batch_gateway.ports.store import (
    STORED_FIELDS,
    BudgetStore,
    JobResumedError,
    JobStore,
    Observed,
    ProjectStore,
    Resumption,
    Store,
    StoreUnavailableError,
    Submission,
    SubmissionStore,
)
from batch_gateway.ports.sweep import BudgetNotes, PlaceNotes, SweepNotes, SweepStore, Turn
from batch_gateway.ports.tables import TableInfo, TableRow, Tables, TablesUnavailableError
from batch_gateway.ports.totals import TotalStore
from batch_gateway.ports.upstream import (
    Absent,
    AnswerTooLargeError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamResponse,
    UpstreamUnavailableError,
)

__all__ = [
    "STORED_FIELDS",
    "Absent",
    "AliasTakenError",
    "AnswerTooLargeError",
    "Audit",
    "AuditEntry",
    "BudgetNotes",
    "BudgetStore",
    "Endpoint",
    "Endpoints",
    "JobResumedError",
    "JobStore",
    "JobTimeStore",
    "KeyStore",
    "ObjectChangedError",
    "ObjectExistsError",
    "ObjectInfo",
    "ObjectStore",
    "ObjectsRefusedError",
    "ObjectsUnavailableError",
    "Observed",
    "Outbox",
    "OutputStore",
    "PlaceNotes",
    "PriceStore",
    "ProjectStore",
    "Receivers",
    "RecordError",
    "Reply",
    "Report",
    "Resumption",
    "Settlement",
    "Store",
    "StoreUnavailableError",
    "Submission",
    "SubmissionStore",
    "SweepNotes",
    "SweepStore",
    "TableInfo",
    "TableRow",
    "Tables",
    "TablesUnavailableError",
    "TeamDeletedError",
    "Topic",
    "TotalStore",
    "Turn",
    "UnreachableError",
    "Unreadable",
    "Upstream",
    "UpstreamCredentialsError",
    "UpstreamResponse",
    "UpstreamUnavailableError",
]
