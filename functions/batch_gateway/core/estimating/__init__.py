"""Estimate the cost of a job from its input alone.

``survey.Survey`` reads the lines of a sample and returns an ``Estimate``. Below it, from a row up: ``text``
and ``media`` estimate tokens, ``gemini`` and ``messages`` read requests, ``imports`` finds rows that fail a
whole job, ``rows`` reads a line, ``habits`` predicts the length of answers, ``sums`` extrapolates a sample to
the whole input, ``estimate`` prices it. All estimates are ranges (``ranges``) of whole numbers.
"""

from batch_gateway.core.estimating.estimate import Estimate, InvalidRow, estimate_report
from batch_gateway.core.estimating.survey import Survey

__all__ = ["Estimate", "InvalidRow", "Survey", "estimate_report"]
