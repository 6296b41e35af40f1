"""Every serving target by name. A new target is one module here and one line below."""

from __future__ import annotations

from stir.serving.declaration import Target
from stir.serving.targets.leaderboard import LEADERBOARD

TARGETS: dict[str, Target] = {target.name: target for target in (LEADERBOARD,)}


def target_named(name: str) -> Target:
    """The declaration of one target. Raises KeyError that lists the names there are."""
    if name not in TARGETS:
        raise KeyError(f"no serving target is called {name!r}; there are: {', '.join(sorted(TARGETS))}")
    return TARGETS[name]
