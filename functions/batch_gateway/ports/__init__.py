"""Define what the use cases need from outside systems, as protocols that adapters implement.

``tests/fakes`` implements those of Firestore and Cloud Storage in memory; tests/contract runs the same tests
against both.
"""

from batch_gateway.ports.keys import AliasTakenError, Audit, AuditEntry, KeyStore, Report, TeamDeletedError
from batch_gateway.ports.notifications import (
    Endpoint,
    Endpoints,
    Outbox,
    Receivers,
    Reply,
    Topic,
    UnreachableError,
)
from batch_gateway.ports.objects import ObjectChangedError, ObjectInfo, ObjectStore, ObjectsUnavailableError
from batch_gateway.ports.records import RecordError, Unreadable
from batch_gateway.ports.store import (
    STORED_FIELDS,
    Observed,
    Settlement,
    Store,
    StoreUnavailableError,
    Submission,
)
from batch_gateway.ports.sweep import BudgetNotes, PlaceNotes, SweepNotes, SweepStore, Turn
from batch_gateway.ports.tables import TableInfo, TableRow, Tables, TablesUnavailableError
from batch_gateway.ports.upstream import (
    AnswerTooLargeError,
    Upstream,
    UpstreamCredentialsError,
    UpstreamResponse,
    UpstreamUnavailableError,
)

__all__ = [
    "STORED_FIELDS",
    "AliasTakenError",
    "AnswerTooLargeError",
    "Audit",
    "AuditEntry",
    "BudgetNotes",
    "Endpoint",
    "Endpoints",
    "KeyStore",
    "ObjectChangedError",
    "ObjectInfo",
    "ObjectStore",
    "ObjectsUnavailableError",
    "Observed",
    "Outbox",
    "PlaceNotes",
    "Receivers",
    "RecordError",
    "Reply",
    "Report",
    "Settlement",
    "Store",
    "StoreUnavailableError",
    "Submission",
    "SweepNotes",
    "SweepStore",
    "TableInfo",
    "TableRow",
    "Tables",
    "TablesUnavailableError",
    "TeamDeletedError",
    "Topic",
    "Turn",
    "UnreachableError",
    "Unreadable",
    "Upstream",
    "UpstreamCredentialsError",
    "UpstreamResponse",
    "UpstreamUnavailableError",
]
