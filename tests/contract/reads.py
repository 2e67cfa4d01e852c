"""Counts the documents that Firestore charges for."""

from contextlib import contextmanager

import pytest
from google.cloud.firestore_v1.services.firestore import FirestoreClient


class Reads:
    """Reads and writes so far: an answer without a document is a read, too ("Pricing" of Firestore)."""

    def __init__(self):
        self.reads = self.writes = self.calls = 0

    def count(self, call, request, answers):
        self.calls += 1
        if call == "batch_get_documents":
            self.reads += len(request["documents"])
            yield from answers
            return
        if call == "run_aggregation_query":
            # One for a thousand index entries.
            self.reads += 1
            yield from answers
            return
        found = 0
        for answer in answers:
            found += bool(answer.document.name)
            yield answer
        self.reads += max(1, found)


@contextmanager
def counted():
    """While entered, what all clients of this process read and write is counted."""
    reads = Reads()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("run_query", "run_aggregation_query", "batch_get_documents"):
            original = getattr(FirestoreClient, name)

            def counting(self, *args, original=original, name=name, **kwargs):
                return reads.count(name, kwargs["request"], original(self, *args, **kwargs))

            patch.setattr(FirestoreClient, name, counting)
        committing = FirestoreClient.commit

        def commit(self, *args, **kwargs):
            reads.calls += 1
            reads.writes += len(kwargs["request"]["writes"])
            return committing(self, *args, **kwargs)

        patch.setattr(FirestoreClient, "commit", commit)
        yield reads
