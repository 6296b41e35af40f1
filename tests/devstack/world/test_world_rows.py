"""Rows of the synthetic world: the same for the same seed, believable, and with every special state."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from devstack.world import channels, collections, directory, draws, posts, profiles, requests, serving, special
from devstack.world import size as sizes
from devstack.world.size import SIZES, World, WorldSize, parse_as_of

pytestmark = pytest.mark.unit
AS_OF = datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
SMALL = World(SIZES["small"], 7, AS_OF)
MEDIUM = World(SIZES["medium"], 7, AS_OF)


def account_rows(world: World, start: int = 0) -> pa.Table:
    return profiles.account_table(world, profiles.chunk(world, start))


def test_the_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    assert account_rows(SMALL).equals(account_rows(World(SIZES["small"], 7, AS_OF)))
    assert not account_rows(SMALL).equals(account_rows(World(SIZES["small"], 8, AS_OF)))
    once, again = (posts.post_table(SMALL, p, posts.of(SMALL, p)) for p in [profiles.chunk(SMALL, 0)] * 2)
    assert once.equals(again)


def test_the_order_of_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "PROFILE_CHUNK", 100)
    forwards = [account_rows(SMALL, start) for start in (0, 100, 200)]
    backwards = [account_rows(SMALL, start) for start in (200, 100, 0)]
    assert all(left.equals(right) for left, right in zip(forwards, reversed(backwards), strict=True))


def test_identifiers_are_unique_across_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "PROFILE_CHUNK", 15_000)
    world = World(WorldSize("wide", 45_000, 10, 0.5, 3, 60, 2, 40, 50), 7, AS_OF)
    chunks = [profiles.chunk(world, start) for start in (0, 15_000, 30_000)]
    for name in ("profile_id", "handle"):
        values = pa.concat_arrays([getattr(chunk, name) for chunk in chunks])
        assert pc.count_distinct(values).as_py() == 45_000, name
    shortcodes = posts.of(world, chunks[0]).shortcode
    assert pc.count_distinct(shortcodes).as_py() == len(shortcodes)


def test_identifiers_have_the_shapes_of_the_platforms() -> None:
    chunk = profiles.chunk(MEDIUM, 0)
    owned, tubes = posts.of(MEDIUM, chunk), channels.chunk(MEDIUM, 0)
    shapes = {
        r"^[0-9]{6,11}$": chunk.profile_id,
        r"^[a-z0-9._]{1,30}$": chunk.handle,
        r"^([A-Za-z0-9_-]{11}|[0-9]{19})$": owned.shortcode,
        r"^UC[A-Za-z0-9_-]{21}[AQgw]$": tubes.channel_id,
        r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$": draws.event_ids(
            np.arange(1000), draws.salt(7, "x")
        ),
    }
    for shape, values in shapes.items():
        assert all(re.match(shape, value) for value in values.to_pylist()), shape


def test_numbers_are_believable() -> None:
    chunk = profiles.chunk(MEDIUM, 0)
    followers = chunk.followers[special.HIGHEST :]
    assert 8_000 < np.median(followers) < 17_000
    assert followers.max() > 5_000_000
    shares = np.histogram(followers, [0, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6, 1e12])[0] / len(followers)
    assert np.allclose(shares, [0.33, 0.13, 0.31, 0.09, 0.11, 0.02, 0.01], atol=0.05)
    owned = posts.of(MEDIUM, chunk)
    still = (owned.kind != posts.REELS) & (chunk.followers[owned.owner] > 1_000)
    rate = owned.likes[still] / chunk.followers[owned.owner][still]
    assert 0.01 < np.median(rate) < 0.04
    assert (owned.plays[owned.kind == posts.REELS] >= owned.likes[owned.kind == posts.REELS]).all()
    indian = (chunk.country == 0).mean()
    assert 0.85 < indian < 0.91


def test_sixty_percent_have_twelve_posts_of_each_class_and_months_are_covered() -> None:
    chunk = profiles.chunk(MEDIUM, 0)
    owned = posts.of(MEDIUM, chunk)
    counts = [np.bincount(owned.owner[kinds], minlength=len(chunk)) for kinds in (
        owned.kind == posts.REELS, (owned.kind == posts.IMAGE) | (owned.kind == posts.CAROUSEL))]  # fmt: skip
    assert 0.5 < ((counts[0] >= 12) & (counts[1] >= 12)).mean() < 0.7
    months = owned.published.astype("datetime64[s]").astype("datetime64[M]")
    for back in range(5):
        month = np.datetime64("2026-06") - back
        assert len(np.unique(owned.owner[months == month])) > 3_000, month
    assert owned.published.max() < MEDIUM.as_of_epoch


def test_texts_hold_what_breaks_careless_exports() -> None:
    table = account_rows(MEDIUM)
    biographies = "".join(text or "" for text in table["biography"].to_pylist())
    for awkward in ('"', "'", "\\", "\t", "\n", "\r", "😄", "भ", "தமிழ்", ";", "<"):
        assert awkward in biographies, repr(awkward)
    assert table["biography"].null_count > 100
    assert any("." in handle for handle in table["handle"].to_pylist())


def test_special_states_are_there() -> None:
    chunk = profiles.chunk(SMALL, 0)
    table = {row["profile_id"]: row for row in profiles.account_table(SMALL, chunk).to_pylist()}
    ids, handles = chunk.profile_id.to_pylist(), chunk.handle.to_pylist()
    owned = posts.of(SMALL, chunk)
    kinds = {account: set(owned.kind[owned.owner == account].tolist()) for account in range(special.HIGHEST)}
    assert not any(ids[account] in table for account in special.NEVER_SCRAPED)
    assert all(table[ids[account]]["is_private"] == 1 and not kinds[account] for account in special.PRIVATE)
    assert all(table[ids[account]]["followers"] == 0 for account in special.ZERO_FOLLOWERS)
    assert all(table[ids[account]]["followers"] is None for account in special.UNKNOWN_FOLLOWERS)
    assert all(kinds[account] == {posts.REELS} for account in special.ONLY_REELS)
    assert all(kinds[account] == {posts.IMAGE} for account in special.ONLY_IMAGES)
    for tied in (special.TIED, special.TIED_ON_PLAYS_TOO):
        past = chunk.growth.at(np.array(tied), np.full(len(tied), 95.0))
        assert len(set(past.tolist())) == 1
    plays = {account: owned.plays[owned.owner == account].tolist() for account in special.TIED_ON_PLAYS_TOO}
    assert len({tuple(values) for values in plays.values()}) == 1
    for account in special.RENAMED:
        same_handle = [row for row in table.values() if row["handle"] == handles[account]]
        assert len(same_handle) == 2  # the newer one is the profile, the older one had the handle before
        assert max(same_handle, key=lambda row: row["updated_at"])["profile_id"] == ids[account]


def test_scrape_requests_hold_the_failure_mix_and_the_two_states() -> None:
    chunk = profiles.chunk(MEDIUM, 0)
    table = requests.table(MEDIUM, chunk, posts.of(MEDIUM, chunk), channels.chunk(MEDIUM, 0))
    status = table["status"].to_pylist()
    assert 0.86 < status.count("COMPLETE") / len(status) < 0.90
    handles = chunk.handle.to_pylist()
    by_handle: dict[str, list[str]] = {}
    for row in table.to_pylist():
        if row["flow"] == "refresh_profile_by_handle":
            by_handle.setdefault(row["params"], []).append(row["status"])
    for account in special.FAILING:
        assert by_handle[f'{{"handle":"{handles[account]}"}}'] == ["FAILED"] * 5
    for account in special.IN_PROGRESS:
        assert by_handle[f'{{"handle":"{handles[account]}"}}'] == ["PROCESSING"]


def test_collections_always_give_the_refresh_of_posts_work() -> None:
    chunk = profiles.chunk(SMALL, 0)
    owned = posts.of(SMALL, chunk)
    made = collections.post_collections(SMALL, chunk, owned)
    known = set(owned.shortcode.to_pylist())
    items = made.items.to_pylist()
    young = [row for row in items if row["post_type"] != "story" and not row["short_code"].isdigit()]
    assert len(young) > 150
    assert any(row["short_code"] not in known for row in young)
    assert any(row["short_code"].startswith("story_dum_") for row in items if row["post_type"] == "story")
    assert {row["id"] for row in made.collections.to_pylist()} >= {"20", "21", "22"}


def test_the_directory_links_channels_to_profiles_that_exist() -> None:
    tubes, chunk = channels.chunk(MEDIUM, 0), profiles.chunk(MEDIUM, 0)
    ids, handles = profiles.identities(MEDIUM, tubes.partner)
    linked = directory.of_channels(MEDIUM, tubes, ids, handles)["vidooly.social_profiles_new_20230217"].to_pylist()
    by_id = dict(zip(chunk.profile_id.to_pylist(), chunk.handle.to_pylist(), strict=True))
    both = [row for row in linked if row["instagram_userid"]]
    assert len(both) > 500
    assert all(by_id[row["instagram_userid"]] == row["instagram_username"] for row in both)
    assert len(linked) > len({row["youtube_userid"] for row in linked})  # the dump lists some channels twice


def test_serving_accounts_match_the_replica() -> None:
    chunk = profiles.chunk(SMALL, 0)
    lite = {row["ig_id"]: row for row in collections.instagram_ids(SMALL, chunk).to_pylist()}
    for row in serving.instagram_accounts(SMALL, chunk).to_pylist():
        assert (row["id"], row["handle"]) == (lite[row["ig_id"]]["id"], lite[row["ig_id"]]["handle"])


def test_lifetime_views_hardly_ever_fall() -> None:
    tubes = channels.chunk(MEDIUM, 0)
    account = np.arange(len(tubes))
    now, before = (tubes.views.at(account, np.full(len(account), float(days))) for days in (0, 30))
    assert (now < before).mean() < 0.03


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01"])
def test_a_wrong_moment_is_explained(text: str) -> None:
    with pytest.raises(ValueError, match="must look like 2026-06-15"):
        parse_as_of(text)


def test_sizes_are_those_of_the_contract() -> None:
    assert (sizes.SIZES["small"].profiles, sizes.SIZES["medium"].profiles, sizes.SIZES["large"].profiles) == (
        300, 10_000, 500_000)  # fmt: skip
