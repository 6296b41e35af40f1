"""Every serving target by name. A new target is one module here and one line below."""

from __future__ import annotations

from stir.serving.declaration import Target
from stir.serving.targets.collection_hashtag import COLLECTION_HASHTAG
from stir.serving.targets.collection_keyword import COLLECTION_KEYWORD
from stir.serving.targets.collection_post_metrics_summary import COLLECTION_POST_METRICS_SUMMARY
from stir.serving.targets.collection_post_metrics_ts import COLLECTION_POST_METRICS_TS
from stir.serving.targets.genre_overview import GENRE_OVERVIEW
from stir.serving.targets.group_metrics import GROUP_METRICS
from stir.serving.targets.leaderboard import LEADERBOARD
from stir.serving.targets.social_profile_core_metrics import SOCIAL_PROFILE_CORE_METRICS
from stir.serving.targets.social_profile_hashtags import SOCIAL_PROFILE_HASHTAGS
from stir.serving.targets.social_profile_time_series import SOCIAL_PROFILE_TIME_SERIES
from stir.serving.targets.trending_content import TRENDING_CONTENT

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        SOCIAL_PROFILE_CORE_METRICS,
        LEADERBOARD,
        SOCIAL_PROFILE_TIME_SERIES,
        COLLECTION_POST_METRICS_SUMMARY,
        COLLECTION_POST_METRICS_TS,
        COLLECTION_HASHTAG,
        COLLECTION_KEYWORD,
        GENRE_OVERVIEW,
        TRENDING_CONTENT,
        GROUP_METRICS,
        SOCIAL_PROFILE_HASHTAGS,
    )
}


def target_named(name: str) -> Target:
    """The declaration of one target. Raises KeyError that lists the names there are."""
    if name not in TARGETS:
        raise KeyError(f"no serving target is called {name!r}; there are: {', '.join(sorted(TARGETS))}")
    return TARGETS[name]
