"""A counter in the host's storage: the smallest service in Python that may be replicated.

Nothing is kept in this module: the next call may get a fresh instance, or run on another host.
"""

from wit_world import exports
from wit_world.imports import storage

COUNT = b"count"

# A 64-bit number, the lowest byte first. A count beyond it raises OverflowError, which ends the call without effect.
COUNT_BYTES = 8


class Counter(exports.Counter):
    """Implements `example:counter/counter`."""

    def increment(self, by: int) -> int:
        count = self.value() + by
        storage.set(COUNT, count.to_bytes(COUNT_BYTES, "little"))
        return count

    def value(self) -> int:
        return int.from_bytes(storage.get(COUNT) or b"", "little")
