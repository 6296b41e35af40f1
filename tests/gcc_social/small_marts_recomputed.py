"""Orders, crawl lists and campaign results computed a second time, in plain Python.

Source rows are read where the rules of a mart begin at the sources. Accounts, leaderboards and collected posts are
read as dbt built them: they are computed a second time elsewhere. No expression is shared with the SQL.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.client import Client
from dateutil import parser as dates

from tests.gcc_social.leaderboard_accounts import EARLIEST, Row, grouped, newest, source_rows

Rows = dict[Any, Row]

DELIVERED_AFTER = timedelta(days=7)
ORDER_KEYS = {
    "id",
    "name",
    "created_at",
    "updated_at",
    "cancelled_at",
    "currency",
    "total_price",
    "total_discounts",
    "total_tax",
    "financial_status",
    "fulfillment_status",
    "tags",
}
FIRST_TRACKED_MONTH = date(2023, 2, 1)
BOARD_DEPTH = 1000
SURVEY_LISTS = ("profiles_i_follow", "my_top_influencers", "my_top_brands", "brand_mentions", "time_slots")
DISCOVERY = (
    *("country", "primary_category", "label", "gender", "primary_language", "followers", "following", "ffratio"),
    *("avg_views", "avg_reach", "avg_likes", "avg_reels_play_count", "engagement_rate", "reels_reach", "story_reach"),
    *("image_reach", "country_rank", "category_rank"),
)
AUDIENCE = ("audience_city", "audience_country", "audience_gender_age", "audience_locale")


# -- orders


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return None


def _moment(text: Any) -> datetime | None:
    """UTC, whole seconds; None for what is no date."""
    try:
        return dates.isoparse(text).astimezone(UTC).replace(microsecond=0)
    except (TypeError, ValueError):
        return None


def gcc_orders(client: Client, now: datetime) -> Rows:
    rows = {}
    for (platform, order_id), versions in _by(
        source_rows(client, "beat_replica.order"), lambda row: (row["platform"], row["platform_order_id"])
    ).items():
        if not platform or not order_id:
            continue
        versions = [row for row in versions if (_json(row["utm_params"]) or {}).get("source") == "gcc"]
        if versions:
            rows[platform, order_id] = _order(newest(versions), now)
    return rows


def _order(row: Row, now: datetime) -> Row:
    data, utm = _json(row["order_data"]), _json(row["utm_params"])
    readable = isinstance(data, dict)
    order = data if readable else {}
    attempts = order.get("fulfillments") or []
    successes = [attempt for attempt in attempts if attempt.get("status") == "success"]
    fulfilment = (successes or attempts or [{}])[0]
    sent = _moment(fulfilment.get("created_at"))
    delivered = delivery = None
    if successes:
        sent = sent or _moment(fulfilment.get("updated_at")) or _moment(order.get("updated_at")) or row["updated_at"]
        shipment = fulfilment.get("shipment_status")
        if shipment == "delivered":
            delivery, delivered = "observed", _moment(fulfilment.get("updated_at")) or sent
        elif not shipment and not _moment(order.get("cancelled_at")) and sent and sent + DELIVERED_AFTER <= now:
            delivery, delivered = "assumed", sent + DELIVERED_AFTER
    lines = [line for refund in order.get("refunds") or [] for line in refund.get("refund_line_items") or []]
    returned = order.get("financial_status") == "refunded" or any(
        line.get("restock_type") == "return" for line in lines
    )
    cancelled = _moment(order.get("cancelled_at"))
    if not readable:
        status = "UNKNOWN"
    elif cancelled:
        status = "CANCELLED"
    elif returned:
        status = "RETURNED"
    elif successes:
        status = "DELIVERED" if delivery else "CONFIRMED"
    else:
        waiting = (None, "", "pending", "open", "cancelled", "error", "failure")
        status = "PENDING" if fulfilment.get("status") in waiting else "UNKNOWN"
    return {
        "platform": row["platform"],
        "store": row["store"],
        "utm_source": "gcc",
        "utm_medium": utm.get("medium") or None,
        "utm_campaign": utm.get("campaign") or None,
        "platform_order_id": row["platform_order_id"],
        "store_order_id": order.get("name") or None,
        "total_price": order.get("total_price"),
        "fulfillment_status": fulfilment.get("status") or None,
        "tags": order.get("tags") or None,
        "created_at": _moment(order.get("created_at")),
        "updated_at": _moment(order.get("updated_at")),
        "cancelled_at": cancelled,
        "is_returned": int(returned),
        "confirmed_at": sent,
        "delivered_at": delivered,
        "status": status,
        "order_data": {key: value for key, value in order.items() if key in ORDER_KEYS},
        "delivery_source": delivery,
    }


# -- crawl lists


def _by(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _attempts(client: Client, flows: set[str], names: Callable[[dict], list[str]], own_trouble: Callable) -> dict:
    """End of the latest attempt by handle."""
    last: dict[str, datetime] = {}
    for row in source_rows(client, "beat_replica.recent_scrape_request_log"):
        finished = row["flow"] in flows and row["status"] in ("COMPLETE", "FAILED") and row["scraped_at"]
        if finished and not own_trouble(row["data"] or ""):
            for name in names(_json(row["params"]) or {}):
                last[name] = max(last.get(name, row["scraped_at"]), row["scraped_at"])
    return last


def _collected(client: Client, platform: str, lite: str, name: str) -> list[tuple[Row, str, str]]:
    """Item, source of its collection and handle of its account, for each item of a profile list."""
    lists = {row["id"]: row["source"] for row in source_rows(client, "coffee_replica.profile_collection")}
    names = {row["id"]: row[name] for row in source_rows(client, lite)}
    found = []
    for item in source_rows(client, "coffee_replica.profile_collection_item"):
        handle = names.get(item["platform_account_code"])
        if item["platform"] == platform and item["profile_collection_id"] in lists and handle:
            found.append((item, lists[item["profile_collection_id"]], handle))
    return found


def _on_board(row: Row, metrics: str) -> bool:
    ranks = [
        row[f"{metric}_rank{board}"]
        for metric in metrics.split()
        for board in ("", "_by_cat", "_by_lang", "_by_cat_lang")
    ]
    return row["month"] >= FIRST_TRACKED_MONTH and min(ranks) < BOARD_DEPTH


def instagram_tracked(client: Client, now: datetime) -> Rows:
    wanted: dict[str, set[tuple[int, int, str]]] = defaultdict(set)

    def want(handle: str | None, source: str, priority: int, days: int) -> None:
        if handle:
            wanted[handle].add((priority, days, source))

    for row in source_rows(client, "identity_replica.social_account"):
        if row["platform"] == "INSTAGRAM" and row["created_on"] and row["created_on"] >= now - timedelta(days=7):
            want(row["handle"], "app", 1, 30)
    for item, source, handle in _collected(client, "INSTAGRAM", "coffee_replica.view_instagram_account_lite", "handle"):
        if not item["profile_social_id"]:
            continue
        if source == "SAAS-AT":
            want(handle, "saas-collection", 4, 1)
        if source == "SAAS" and item["updated_at"] and item["updated_at"] >= now - timedelta(days=30):
            want(handle, "saas-profile-collection", 5, 1)
    for row in source_rows(client, "dbt.mart_instagram_leaderboard"):
        if _on_board(row, "followers followers_change views plays"):
            want(row["handle"], "leaderboard", 4, 7)
    serving = {row["id"]: row["handle"] for row in source_rows(client, "coffee_replica.view_instagram_account_lite")}
    for row in source_rows(client, "coffee_replica.view_campaign_profile_lite"):
        known = (row["platform_account_id"] or 0) > 0 and (row["gcc_user_account_id"] or 0) > 0
        if row["platform"] == "INSTAGRAM" and known:
            want(serving.get(row["platform_account_id"]), "cm", 6, 30)
    for row in source_rows(client, "dbt.mart_instagram_account"):
        want(row["handle"], "rest", 8, 30)
        if (row["followers"] or 0) > 2000:
            want(row["handle"], "rest_2k", 7, 30)
        if row["country"] == "IN":
            want(row["handle"], "saas", 5, 14)
    attempts = _attempts(
        client,
        {"refresh_profile_by_handle"},
        lambda params: [params["handle"]] if params.get("handle") else [],
        lambda text: text[:4] in ("(204", "(409", "(429") or "NoneType" in text,
    )
    rows = {}
    for handle, sources in wanted.items():
        due = [
            source
            for source in sources
            if handle not in attempts or attempts[handle] <= now - timedelta(days=source[1])
        ]
        if due:
            priority, _, source = min(due)
            rows[handle] = {"handle": handle, "source": source, "priority": priority}
    return rows


def youtube_tracked(client: Client, now: datetime) -> Rows:
    wanted: dict[str, set[tuple[int, int, str]]] = defaultdict(set)
    collected = _collected(client, "YOUTUBE", "coffee_replica.view_youtube_account_lite", "channel_id")
    for _, source, channel in collected:
        if source == "SAAS-AT":
            wanted[channel].add((1, 1, "saas_collection"))
        if source == "SAAS":
            wanted[channel].add((2, 1, "saas_profile_collection"))
    for row in source_rows(client, "dbt.mart_youtube_leaderboard"):
        if _on_board(row, "followers followers_change views"):
            wanted[row["platform_id"]].add((3, 1, "leaderboard"))
    for row in source_rows(client, "beat_replica.youtube_account"):
        if row["channel_id"]:
            wanted[row["channel_id"]].add((5, 7, "rest_beat"))
            if (row["subscribers"] or 0) > 10_000:
                wanted[row["channel_id"]].add((4, 1, "rest_beat_10k"))

    def own_trouble(text: str) -> bool:
        return text[:4] in ("(204", "(409", "(429")

    profiles = _attempts(client, {"refresh_yt_profiles"}, lambda params: params.get("channel_ids") or [], own_trouble)
    videos = _attempts(
        client,
        {"refresh_yt_posts_by_channel_id", "refresh_yt_posts_by_playlist_id"},
        lambda params: [params["channel_id"]] if params.get("channel_id") else [],
        own_trouble,
    )
    rows = {}
    for channel, sources in wanted.items():
        priority, days, source = min(sources)
        row = {"handle": channel, "source": source, "priority": priority, "frequency": days}
        for kind, attempts in (("", profiles), ("videos_", videos)):
            last = attempts.get(channel)
            row[f"last_{kind}attempt"] = last
            counts = last and last >= datetime(2020, 1, 1, tzinfo=UTC)
            row[f"next_{kind}attempt"] = last + timedelta(days=days) if counts else now
        rows[channel] = row
    return rows


# -- campaign results


def influencers(client: Client) -> Rows:
    members = _by(source_rows(client, "identity_replica.social_account"), lambda row: row["handle"])
    results = _campaign_results(client)
    survey = {
        handle: min(rows, key=lambda row: [(value is None, value) for value in row.values()])
        for handle, rows in grouped(source_rows(client, "ds.trinity_phase_two"), "handle").items()
    }
    unanswered = dict.fromkeys(next(iter(survey.values()))) | {name: [] for name in SURVEY_LISTS}
    accounts = {row["handle"]: row for row in source_rows(client, "dbt.mart_instagram_account") if row["handle"]}
    hosts = {
        row["user_client_account_id"]: row
        for row in source_rows(client, "identity_replica.host_profile")
        if row["user_client_account_id"]
    }
    insights = {
        handle: newest(rows)
        for handle, rows in grouped(source_rows(client, "beat_replica.instagram_profile_insights"), "handle").items()
    }
    found = {}
    for handle, rows in members.items():
        linked = [row for row in rows if row["platform"] == "INSTAGRAM" and (row["account_id"] or 0) > 0]
        if not handle or not linked:
            continue
        account_id = max(linked, key=lambda row: (row["created_on"] or EARLIEST, row["account_id"]))["account_id"]
        answers, account = survey.get(handle, unanswered), accounts.get(handle, {})
        audience = insights.get(handle, {})
        host = hosts.get(account_id, {})
        categories = json.loads(host.get("user_categories") or "[]")
        found[handle] = {
            "handle": handle,
            **(results.get(handle) or _result([], {}, {})),
            **{_survey_column(name): value for name, value in answers.items() if name.startswith("g3.")},
            **{name: answers[name] for name in (*SURVEY_LISTS, "age")},
            **{name: account.get(name) for name in DISCOVERY},
            "user_categories": [category["name"] for category in categories if category.get("name")],
            "account_id": account_id,
            "webengage_user_id": host.get("webengage_user_id"),
            **{name: audience.get(name) for name in AUDIENCE},
        }
    return found


def _survey_column(question: str) -> str:
    return question.replace(".", "_").replace(" ", "_")


def _campaign_results(client: Client) -> Rows:
    posts = [row for row in source_rows(client, "dbt.mart_collection_post") if row["collection_type"] == "POST"]
    campaigns = {
        row["id"] for row in source_rows(client, "coffee_replica.post_collection") if row["source"] == "GCC_CAMPAIGN"
    }
    kinds = {
        collection: (any(row["link_clicks"] for row in rows), any(row["orders"] for row in rows))
        for collection, rows in _by(posts, lambda row: row["collection_id"]).items()
    }
    owners = {
        (row["collection_id"], row["post_short_code"]): row["profile_handle"]
        for row in posts
        if row["platform"] == "INSTAGRAM"
    }
    costs: dict[tuple, int] = {}
    for item in source_rows(client, "coffee_replica.post_collection_item"):
        owner = owners.get((item["post_collection_id"], item["short_code"]))
        key = item["post_collection_id"], owner or (item["posted_by_handle"] or "").lower()
        if item["cost"] is not None:
            costs[key] = max(costs.get(key, item["cost"]), item["cost"])
    counted = [row for row in posts if row["platform"] == "INSTAGRAM" and row["collection_id"] in campaigns]
    by_handle = _by(counted, lambda row: row["profile_handle"])
    return {handle: _result(rows, kinds, costs) for handle, rows in by_handle.items() if handle}


def _result(posts: list[Row], kinds: dict, costs: dict) -> Row:
    def total(column: str) -> int | None:
        values = [round(row[column]) for row in posts if row[column] is not None]
        return sum(values) if values else None

    def per(cost: float | None, divisor: float | None) -> float | None:
        return None if cost is None or not divisor else cost / divisor

    collections = {row["collection_id"] for row in posts}
    creators = {(row["collection_id"], row["profile_handle"]) for row in posts}
    known_costs = [costs[creator] for creator in creators & costs.keys()]
    cost = float(sum(known_costs)) if known_costs else None
    likes, comments, reach, views = total("likes"), total("comments"), total("reach"), total("views")
    orders, clicks, impressions = total("orders"), total("link_clicks"), total("impressions")
    engagement = None if likes is None or comments is None else likes + comments
    rate = per(clicks, reach)
    return {
        "campaigns": len(collections),
        "click_campaigns": sum(kinds[collection][0] for collection in collections),
        "order_campaigns": sum(kinds[collection][1] for collection in collections),
        "posts": len({(row["collection_id"], row["post_short_code"]) for row in posts}),
        "orders": orders,
        "clicks": clicks,
        "views": views,
        "likes": likes,
        "comments": comments,
        "reach": reach,
        "total_engagement": engagement,
        "impressions": impressions,
        "total_cost": cost,
        "cto": per(clicks, orders),
        "ctr": None if rate is None else round(rate, 6),
        "cpv": per(cost, views),
        "cpc": per(cost, clicks),
        "cpo": per(cost, orders),
        "cpr": per(cost, reach),
        "cpm": None if impressions is None else per(cost, impressions / 1000),
        "cpe": per(cost, engagement),
    }
