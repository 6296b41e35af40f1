"""How much memory the messages of all queues may take together: what bounds the process when ClickHouse is away.

The prefetch counts messages, and messages may be large. So each consumer reports what it holds; when the sum reaches
the limit, consumers stop taking until half of it is free again. A queue that holds less than its reserved share goes
on regardless: one queue whose table refuses rows must not starve the others.
"""

from __future__ import annotations


class MemoryBudget:
    """Bytes that un-acknowledged messages take, over all consumers of a process. Used in one thread."""

    def __init__(self, limit: int, consumers: int) -> None:
        self.limit = limit
        self.used = 0
        # Half of the memory is divided evenly, the other half goes to whoever comes first.
        self.share = limit // (2 * max(1, consumers))

    def take(self, size: int) -> None:
        self.used += size

    def give_back(self, size: int) -> None:
        self.used -= size

    def must_pause(self, held: int) -> bool:
        """Whether a consumer that holds so many bytes should take no more."""
        return self.used >= self.limit and held >= self.share

    def may_resume(self, held: int) -> bool:
        """Whether a consumer that paused, and now holds so many bytes, should take again."""
        return self.used <= self.limit // 2 or held <= self.share // 2
