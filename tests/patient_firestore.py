"""Firestore without the limit of four seconds to a call, which an emulator on a busy machine may take.

The limit is the subject of the contract tests; all others are about something else.
"""

from pathlib import Path

from batch_gateway.adapters.firestore.documents import CALL
from patience import PATIENCE

AS_DEPLOYED = dict(CALL)
"""The contents of CALL before anybody puts the following into it."""
PATIENT = {"timeout": PATIENCE, "retry": CALL["retry"].with_timeout(PATIENCE)}
"""The values to put into CALL."""
FUNCTIONS = Path(__file__).with_name("patient_functions.py")
"""The two functions that are deployed, with that: a source for functions-framework."""
