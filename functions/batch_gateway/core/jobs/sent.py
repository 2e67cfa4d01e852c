"""What tells a create from others, so that its job is known again if its answer was lost."""

from collections.abc import Mapping

import msgspec

from batch_gateway.core import excerpts
from batch_gateway.core.jobs.labels import KEY, TEAM
from batch_gateway.core.jobs.record import Observation


class Sent(msgspec.Struct, frozen=True, rename="camel"):
    """What a create and its job have in common, cut to what a record holds.

    Attributes:
        owner: Those labels that say whose it is.
        output_prefix: As in Observation.
        model: The last part of its name, without a version: Vertex AI may write the rest in another way.
        display_name: Its name for people.
    """

    owner: dict[str, str]
    output_prefix: str | None
    model: str
    display_name: str

    @classmethod
    def of(cls, labels: Mapping[str, object], output_prefix: object, model: str, display_name: str) -> "Sent":
        """Make it of what was sent."""
        known, _ = excerpts.labels({name: labels[name] for name in (TEAM, KEY) if name in labels}, ())
        return cls(
            known,
            excerpts.directory(output_prefix),
            excerpts.text(model.rpartition("/")[2].partition("@")[0]),
            excerpts.text(display_name),
        )


def sent_of(seen: Observation) -> Sent:
    """Return what a job shows of the create that it came of."""
    return Sent.of(seen.labels, seen.output_prefix, seen.model, seen.display_name)
