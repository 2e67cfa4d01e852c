"""Counts what Firestore is asked."""

from collections import Counter


class CountedFirestore:
    """Stands before the API of a client of Firestore.

    Attributes:
        calls: Round trips by method.
        documents: Documents that came back, or that a batch wrote, by method.
    """

    def __init__(self, client):
        self._api = client._firestore_api
        self.calls, self.documents = Counter(), Counter()
        client._firestore_api_internal = self

    def __getattr__(self, name):
        method = getattr(self._api, name)
        if name not in {"batch_get_documents", "run_query", "commit"}:
            return method

        def counted(*args, **kwargs):
            self.calls[name] += 1
            if name == "commit":
                self.documents[name] += len(kwargs["request"]["writes"])
                return method(*args, **kwargs)
            return self._each(name, method(*args, **kwargs))

        return counted

    def _each(self, name, answers):
        for answer in answers:
            self.documents[name] += ("document" if name == "run_query" else "found") in answer
            yield answer

    def reset(self):
        """Begin to count anew."""
        self.calls.clear()
        self.documents.clear()
