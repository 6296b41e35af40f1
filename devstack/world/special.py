"""The accounts in a special state: fixed positions at the beginning of every world, so that tests can name them.

Rule: spec/scrape_flows.md 7.8. Positions are indexes of Instagram profiles; all of them are Indian and tracked unless
their state says otherwise.
"""

from __future__ import annotations

NEVER_SCRAPED = range(3)  # known to the product, but no row and no event from the scraper
RENAMED = range(3, 6)  # changed their handle 40 days ago; the old one now belongs to nobody
PRIVATE = range(6, 9)
ZERO_FOLLOWERS = range(9, 11)
UNKNOWN_FOLLOWERS = range(11, 13)  # the provider sent no count
ONLY_REELS = range(13, 16)
ONLY_IMAGES = range(16, 19)
FAILING = range(19, 22)  # more than three FAILED requests, none COMPLETE
IN_PROGRESS = range(22, 25)  # a request is PROCESSING right now
TIED = range(25, 29)  # same followers in every month, same category and language
TIED_ON_PLAYS_TOO = range(29, 32)  # the same, and the same posts
HIGHEST = TIED_ON_PLAYS_TOO.stop
CONNECTED = range(HIGHEST, HIGHEST + 8)  # ordinary profiles, but their owners gave a token whatever the draw says

TIED_FOLLOWERS = 40_000_000
RENAMED_DAYS_AGO = 40

TIED_CHANNELS = range(3)  # equal subscribers and views in every month
HIDDEN_SUBSCRIBERS = range(3, 5)  # the channel hides its count, so it is 0
CHANNELS_NEVER_SCRAPED = range(5, 8)
CONNECTED_CHANNELS = range(8, 14)

STATES: dict[str, range] = {
    "never scraped": NEVER_SCRAPED,
    "renamed handle": RENAMED,
    "private": PRIVATE,
    "zero followers": ZERO_FOLLOWERS,
    "unknown followers": UNKNOWN_FOLLOWERS,
    "only reels": ONLY_REELS,
    "only images": ONLY_IMAGES,
    "more than 3 FAILED": FAILING,
    "in progress": IN_PROGRESS,
    "tied on followers": TIED,
    "tied on followers and plays": TIED_ON_PLAYS_TOO,
}
