"""The labels that keys and teams add to their jobs or demand of them, checked to Google's rules.

Google's rules ("Requirements for labels" of Resource Manager; the classes of characters and the bytes as the
Bigtable Admin API spells them out): 64 labels on a resource; 63 characters and less than 128 bytes in a name
or value; lower-case and caseless letters, digits, ``_`` and ``-``; a name begins with a letter.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from batch_gateway.core.jobs.labels import OURS

MOST_LABELS = 64
MOST_SET = MOST_LABELS - 2
"""Most labels that a key or team may add: a job may also get its owner's label and a marker."""
MOST_CHARACTERS = 63
_MOST_CHARACTERS_ON_A_JOB = 64
"""BatchPredictionJob.labels of the Vertex AI API, discovery revision 20261106."""
_MOST_BYTES = 127
_LETTERS = frozenset({"Ll", "Lo"})
_CHARACTERS = _LETTERS | {"Nd", "Nl", "No"}
_RESERVED = ("google", "goog-")
_TOO_MANY_BYTES = f"it has more than {_MOST_BYTES} bytes. Shorten it"
_ALLOWED = "Use lower-case letters, digits, '_' and '-'"


class LabelPolicy(msgspec.Struct, frozen=True):
    """The rules of a key or team for the labels of its jobs.

    Attributes:
        default_labels: Labels that a job gets if it has none of the name.
        required_labels: Names of labels that a job must have.
    """

    default_labels: dict[str, str] = {}
    required_labels: tuple[str, ...] = ()


def check_name(name: str) -> None:
    """Check the name of a label that the gateway is to add or to demand.

    Raises:
        ValueError: Google would refuse the name, or it is reserved; the message says which.
    """
    _check_text(name, f"{name[:80]!r} cannot be the name of a label", MOST_CHARACTERS, is_name=True)
    if len(name.encode()) > _MOST_BYTES:
        raise ValueError(f"{name[:80]!r} cannot be the name of a label: {_TOO_MANY_BYTES}")
    if name in OURS:
        raise ValueError(f"the label {name!r} is set by the gateway: choose another name")
    if name.startswith(_RESERVED):
        raise ValueError(f"{name!r} is reserved for Google: choose a name that does not begin with 'goog'")


def check_label(name: str, value: str) -> None:
    """Check a label that the gateway is to add.

    Raises:
        ValueError: Google would refuse name or value, or the name is reserved; the message says which.
    """
    check_name(name)
    where = f"{value[:80]!r} cannot be the value of the label {name!r}"
    _check_text(value, where, MOST_CHARACTERS)
    if len(value.encode()) > _MOST_BYTES:
        raise ValueError(f"{where}: {_TOO_MANY_BYTES}")


def check_label_of_job(name: str, value: Any) -> None:
    """Check a label that a caller wrote into a job, so far as it is certain that Vertex AI refuses it.

    Raises:
        ValueError: It does; the message says which rule is broken.
    """
    where = f"{name[:80]!r} cannot be the name of a label"
    _check_text(name, where, _MOST_CHARACTERS_ON_A_JOB, is_name=True)
    if not isinstance(value, str):
        raise ValueError(f"the value of the label {name!r} must be a string: write it in quotes")  # noqa: TRY004 - bad data, not a programming error
    where = f"{value[:80]!r} cannot be the value of the label {name!r}"
    _check_text(value, where, _MOST_CHARACTERS_ON_A_JOB)


def _check_text(text: str, where: str, most: int, *, is_name: bool = False) -> None:
    if len(text) > most:
        raise ValueError(f"{where}: it has {len(text)} characters, and {most} are allowed. Shorten it")
    for char in text:
        if char not in "_-" and unicodedata.category(char) not in _CHARACTERS:
            raise ValueError(f"{where}: it has {char!r}. {_ALLOWED}")
    if is_name and (not text or unicodedata.category(text[0]) not in _LETTERS):
        raise ValueError(f"{where}: a name begins with a letter. {_ALLOWED}, a letter first")


def read_labels(text: str) -> dict[str, str]:
    """Read labels that are written as ``campaign=autumn,cost-center=42``.

    Raises:
        ValueError: The text has another form, a name twice, or a label that `check_label` refuses.
    """
    labels: dict[str, str] = {}
    for part in text.split(",") if text.strip() else ():
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(
                f"{part[:80].strip()!r} is not a label: write NAME=VALUE, with commas in between"
            )
        check_label(name, value)
        if name in labels:
            raise ValueError(f"{name!r} occurs twice: give each label one value")
        labels[name] = value
    return labels


def default_labels(policies: Iterable[LabelPolicy]) -> dict[str, str]:
    """Return the labels to add by default.

    Args:
        policies: The caller's, the team's first: of two values for a name, the last counts.
    """
    return {name: value for policy in policies for name, value in policy.default_labels.items()}


def missing_labels(policies: Iterable[LabelPolicy], labels: Mapping[str, Any]) -> list[str]:
    """Return the names of required labels that a job lacks, in order; one with an empty value lacks, too."""
    required = {name for policy in policies for name in policy.required_labels}
    return sorted(name for name in required if not labels.get(name))
