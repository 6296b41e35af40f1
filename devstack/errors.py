"""The one error that the local stack shows to its user."""

from __future__ import annotations


class StackError(Exception):
    """Something a user can act on: one sentence that says what is wrong and what to do."""
