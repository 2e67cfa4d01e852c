"""An emulator of Vertex AI's batchPredictionJobs, good enough to develop and test against.

It reads real input objects from a Cloud Storage emulator, writes output rows of the shapes that Vertex AI
writes, and answers the REST methods as Google does, mistakes included. See `emulator.VertexEmulator` for
tests and `python -m vertex_emulator --help` for the command.
"""

from .emulator import VertexEmulator
from .faults import Faults
from .layout import Layout
from .lifecycle import Speed
from .requestlog import LoggedRequest, RequestLog

__all__ = ["Faults", "Layout", "LoggedRequest", "RequestLog", "Speed", "VertexEmulator"]
