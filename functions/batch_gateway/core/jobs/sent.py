"""Describe creates by what identifies their jobs, so that a job can be found if the answer was lost."""

from collections.abc import Mapping

import msgspec

from batch_gateway.core import excerpts
from batch_gateway.core.jobs.labels import KEY_LABEL, TEAM_LABEL
from batch_gateway.core.jobs.record import Observation


class Sent(msgspec.Struct, frozen=True, rename="camel"):
    """The features that a create and its job have in common, shortened to fit into a record.

    Attributes:
        owner: The labels that name the owner.
        output_prefix: As in Observation.
        model: The last part of its name, without a version: Vertex AI may write the rest differently.
        display_name: The job's name for people.
    """

    owner: dict[str, str]
    output_prefix: str | None
    model: str
    display_name: str

    @classmethod
    def of(cls, labels: Mapping[str, object], output_prefix: object, model: str, display_name: str) -> "Sent":
        """Return the features of a create."""
        known, _ = excerpts.labels(
            {name: labels[name] for name in (TEAM_LABEL, KEY_LABEL) if name in labels}, ()
        )
        return cls(
            known,
            excerpts.directory(output_prefix),
            excerpts.text(model.rpartition("/")[2].partition("@")[0]),
            excerpts.text(display_name),
        )


def sent_of(seen: Observation) -> Sent:
    """Return the features of the create that a job was made by."""
    return Sent.of(seen.labels, seen.output_prefix, seen.model, seen.display_name)
