"""What a job will cost, from its input alone.

``survey.Survey`` is fed the lines of a sample and gives an ``Estimate``. Below it, from a row up: ``text``
and ``media`` guess tokens, ``gemini`` and ``messages`` know the forms of requests, ``imports`` what fails a
whole job, ``rows`` reads a line, ``habits`` knows what models write, ``sums`` carries a sample on to the
whole input, ``estimate`` prices it. All guesses are ranges (``ranges``) of whole numbers.
"""

from batch_gateway.core.estimating.estimate import Estimate, InvalidRow, estimate_report
from batch_gateway.core.estimating.survey import Survey

__all__ = ["Estimate", "InvalidRow", "Survey", "estimate_report"]
