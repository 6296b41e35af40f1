"""Shop orders: in every state of payment, delivery and cancelling, half of them through the product's own campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import orjson
import pyarrow as pa

from devstack.beat import events
from devstack.beat.log_entries import SHOPIFY, Order
from devstack.world import belongings, draws, timeline
from devstack.world.posts import DAY
from devstack.world.profiles import moments
from devstack.world.size import World

HISTORY_DAYS = 120
_INDIA = timezone(timedelta(hours=5, minutes=30))
_UTM = [
    {"source": "gcc", "medium": "influencer", "campaign": "diwali-26"},
    {"source": "gcc", "medium": "story", "campaign": 'say "yes" & 50%'},
    {"source": "gcc"},
    {"source": "google", "medium": "cpc", "campaign": "brand"},
    {"source": "GCC", "medium": "influencer"},
    {},
    {"source": "gcc", "medium": None, "campaign": "हिंदी"},
    None,
]
_TAGS = ["", "VIP, gcc", "gift; wrap 🎁", 'note: "leave at door"', None]
_PAID = 3
# What stands first in the list of fulfilments: nothing, a success with its day, one without a day, other ends.
_DELIVERED, _FRESH, _UNDATED, _FAILED, _NONE, _UNREADABLE, _OPEN = range(7)


def table(world: World) -> pa.Table:
    """Rows of `beat_replica.order`, by id."""
    random = draws.stream(world.seed, "orders")
    rows = world.size.orders
    stores = belongings.shops(world)["handle"].to_pylist()
    created = np.sort(world.as_of_epoch - 3_600 - random.random(rows) * HISTORY_DAYS * DAY)
    state = random.choice(7, rows, p=[0.4, 0.12, 0.08, 0.08, 0.2, 0.04, 0.08])
    cancelled = random.random(rows) < 0.12
    records = []
    for number, (moment, kind) in enumerate(zip(created.tolist(), state.tolist(), strict=True)):
        store = stores[number % len(stores)]
        records.append(_record(world, number, store, moment, kind, bool(cancelled[number])))
    columns = ("platform_order_id", "status", "name", "store", "store_name", "landing_site", "utm_params", "order_data")
    updated = np.minimum(created + 2 * DAY, world.as_of_epoch - 600)
    return pa.table({
        "id": pa.array(np.arange(rows) + 1),
        "platform": pa.array([SHOPIFY] * rows),
        **{column: pa.array([record[column] for record in records], pa.string()) for column in columns},
        "created_at": moments(np.minimum(created + 900, world.as_of_epoch - 600)),
        "updated_at": moments(updated),
    })  # fmt: skip


def messages(world: World, orders: pa.Table) -> Iterator[events.Message]:
    """order_log messages of all orders, in publishing order."""
    order = _order(world, orders)
    identity = draws.event_ids(order.event, draws.salt(world.seed, world.as_of_epoch, "orders")).to_pylist()
    rows = orders.to_pylist()
    for place, (number, moment) in enumerate(zip(order.event.tolist(), timeline.texts(order.moment), strict=True)):
        row = rows[number]
        told = ("platform_order_id", "name", "status", "landing_site", "store_name", "utm_params", "platform", "store")
        yield Order(
            event_id=identity[place],
            platform_order_id=row["platform_order_id"],
            store=row["store"],
            event_timestamp=moment,
            metrics={},
            dimensions={name: row[name] for name in told} | {"order_data": orjson.Fragment(row["order_data"].encode())},
        ).message()


def count(world: World, orders: pa.Table) -> int:
    """How many messages `messages` makes."""
    return len(_order(world, orders))


def _order(world: World, orders: pa.Table) -> timeline.Timeline:
    read = orders["updated_at"].cast(pa.int64()).to_numpy() // 1_000_000
    return timeline.published(world, "orders", 0, np.arange(orders.num_rows), read)


def _record(world: World, number: int, store: str, created: float, kind: int, cancelled: bool) -> dict[str, str | None]:
    utm, tags = _UTM[number % len(_UTM)], _TAGS[number % len(_TAGS)]
    query = "" if not utm else "?" + "&".join(f"utm_{name}={value}" for name, value in utm.items())
    fulfilments = _fulfilments(world, created, kind)
    data = {
        "id": 5_100_000_000_000 + number * 7_919,
        "name": f"#{1_001 + number}",
        "total_price": f"{199 + number * 37 % 4_800}.{number % 100:02d}",
        "currency": "INR",
        "tags": tags,
        "created_at": _iso(created),
        "updated_at": _iso(min(created + 2 * DAY, world.as_of_epoch - 700)),
        "cancelled_at": _iso(min(created + 3_600, world.as_of_epoch - 800)) if cancelled else None,
        "landing_site": f"/products/glow-serum{query}",
        "customer": {"first_name": "Test", "email": f"buyer{number}@example.com", "phone": None},
        "line_items": [{"vendor": f"{store.split('.')[0]} Store", "quantity": 1 + number % _PAID}],
        "fulfillments": fulfilments,
    }
    return {
        "platform_order_id": str(data["id"]),
        "status": fulfilments[0]["status"] if fulfilments else None,
        "name": data["name"],
        "store": store,
        "store_name": data["line_items"][0]["vendor"],
        "landing_site": data["landing_site"],
        "utm_params": None if utm is None else orjson.dumps(utm).decode(),
        "order_data": orjson.dumps(data).decode(),
    }


def _fulfilments(world: World, created: float, kind: int) -> list[dict[str, str | None]]:
    sent = min(created + DAY, world.as_of_epoch - 900)
    return {
        _DELIVERED: [{"status": "success", "created_at": _iso(sent)}],
        _FRESH: [{"status": "success", "created_at": _iso(world.as_of_epoch - 5 * DAY)}],
        _UNDATED: [{"status": "success", "created_at": None}],
        _FAILED: [{"status": "failure", "created_at": _iso(sent)}, {"status": "success", "created_at": _iso(sent)}],
        _NONE: [],
        _UNREADABLE: [{"status": "success", "created_at": "soon"}],
        _OPEN: [{"status": None, "created_at": _iso(sent)}],
    }[kind]


def _iso(epoch: float) -> str:
    """As the shop writes it: local time with its offset."""
    return datetime.fromtimestamp(int(epoch), UTC).astimezone(_INDIA).isoformat()
