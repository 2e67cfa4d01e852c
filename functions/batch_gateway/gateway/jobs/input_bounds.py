"""Reads the whole input of a job whose cost has to stay within a budget."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from batch_gateway.core.errors import ApiError
from batch_gateway.core.estimating.bounds import Scale
from batch_gateway.core.estimating.exact import UnboundedError
from batch_gateway.core.estimating.sampling import Object
from batch_gateway.core.lines import MAX_LINE_BYTES, Block, whole_lines
from batch_gateway.ports import ObjectStore

SECONDS = 45.0
"""How long an input is read: with the minute that Vertex AI is waited for, within the gateway's 120 s."""
MOST_BYTES = 4 * 1024**3
"""Of an input that is begun with: what is read in that time at best."""
SMALL_BYTES = 4 * 1024 * 1024
"""Of an input that is weighed whatever else is being weighed: the sample of an estimate is as large."""
_AT_ONCE = 2
"""Larger inputs that an instance reads at the same time: a processor reads one of them at its full speed."""
_LARGE_BLOCK_BYTES = 1024 * 1024


class InputBounds:
    """Read inputs for a bound of what they cost; one for each instance."""

    def __init__(
        self, objects: Callable[[], ObjectStore], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._lock = Lock()
        self._large = Lock()
        self._busy: set[str] = set()

    def weigh(self, whose: str, objects: Sequence[Object], scale: Scale) -> None:
        """Put all rows of an input on a scale.

        Args:
            whose: The key that it is for: it has one larger input read at a time.
            objects: The input.
            scale: Where its rows go.

        Raises:
            ApiError: It is too large to be read in time, or too many are being read.
            UnboundedError: It may cost anything; which row does, and why.
            ObjectsUnavailableError: Cloud Storage does not answer.
            ObjectChangedError: It was overwritten meanwhile.
        """
        size = sum(each.size for each in objects)
        if size > MOST_BYTES:
            raise _too_large(size, len(objects))
        deadline = self._clock() + SECONDS
        with self._slot(whose, size):
            for each in objects:
                chunks = self._objects().read(each.bucket, each.name, each.generation)
                for block in whole_lines(chunks):
                    if self._clock() >= deadline:
                        raise _too_large(size, len(objects))
                    self._add(each, block, scale)

    def _add(self, at: Object, block: Block, scale: Scale) -> None:
        if block.oversized:
            raise UnboundedError(
                f"a row of {at.uri} is longer than {MAX_LINE_BYTES:,} bytes, or holds millions of values"
            )
        try:
            if sum(map(len, block.lines)) < _LARGE_BLOCK_BYTES:
                scale.add(block.lines)
            else:
                # It takes several times its size in memory, so not many of them at once.
                with self._large:
                    scale.add(block.lines)
        except UnboundedError as error:
            raise UnboundedError(f"row {scale.weight.rows:,} of the input, in {at.uri}: {error}") from error
        # Others wait for the interpreter meanwhile, and would for five milliseconds each time.
        time.sleep(0)

    @contextmanager
    def _slot(self, whose: str, size: int) -> Iterator[None]:
        if size <= SMALL_BYTES:
            yield
            return
        with self._lock:
            if whose in self._busy or len(self._busy) >= _AT_ONCE:
                raise ApiError(
                    "UNAVAILABLE",
                    "WEIGHING_BUSY",
                    "Your key has a budget, so the whole input is read to tell what the job may cost at "
                    "most. Other inputs are being read now. Send the same again in a moment.",
                    retry_after=10,
                )
            self._busy.add(whose)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(whose)


def _too_large(size: int, objects: int) -> ApiError:
    return ApiError(
        "FAILED_PRECONDITION",
        "INPUT_TOO_LARGE_TO_WEIGH",
        "Your key has a budget, so the whole input is read to tell what the job may cost at most, and "
        f"{size:,} bytes in {objects:,} objects are more than can be read in {SECONDS:.0f} s. Split "
        "it over several jobs, merge small objects, or ask the administrator for a key without max_budget.",
        metadata={"bytes": str(size), "objects": str(objects)},
    )
