"""The two functions that are deployed, with PATIENT calls of Firestore; see patient_firestore.py."""

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(_TESTS.parent / "functions"), str(_TESTS)]

from batch_gateway.adapters.firestore.documents import CALL  # noqa: E402 - same
from main import gateway, settle  # noqa: E402 - found by the path above
from patient_firestore import PATIENT  # noqa: E402 - same

CALL.update(PATIENT)

__all__ = ["gateway", "settle"]
