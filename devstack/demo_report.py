"""What the demonstration ends with: the published leaderboard, the steps, freshness and where to look."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg2
from psycopg2.extras import DictCursor, DictRow
from rich.console import Console
from rich.table import Table

from devstack.demo_steps import Steps
from devstack.progress import SilentProgress
from devstack.settings import AIRFLOW_USER, SERVING_DATABASE, Secrets, StackSettings, postgres_dsn
from devstack.stack import Stack

TOP = 5

TOP_OF_LATEST_MONTH = """
select l.platform, l.followers_rank as rank, (l.last_month_ranks ->> 'followers_rank')::bigint as rank_last_month,
       coalesce(ia.handle, ya.title, l.platform_id) as account, l.category, l.language, l.followers, l.followers_change,
       case l.platform when 'INSTAGRAM' then l.plays else l.views end as views
from leaderboard l
left join instagram_account ia on l.profile_platform = 'IA' and ia.id = l.platform_profile_id
left join youtube_account ya on l.profile_platform = 'YA' and ya.id = l.platform_profile_id
where l.month = (select max(month) from leaderboard) and l.followers_rank <= %s
order by array_position(array['INSTAGRAM', 'YOUTUBE', 'ALL'], l.platform), l.followers_rank, l.platform_id
"""

LATEST_GENERATION = """
select rows, bytes, mart_built_at, newest_event_at, published_at, seconds
from serving_ledger where target = 'leaderboard' order by id desc limit 1
"""


def print_report(settings: StackSettings, steps: Steps, console: Console) -> None:
    """Read the published tables as the product does, and print everything that a newcomer wants to see."""
    secrets = Secrets.load_or_create(settings)
    connection = psycopg2.connect(postgres_dsn(settings, secrets, SERVING_DATABASE), connect_timeout=5)
    try:
        with connection, connection.cursor(cursor_factory=DictCursor) as cursor:
            cursor.execute("select to_char(max(month), 'FMMonth YYYY') from leaderboard")
            month = cursor.fetchone()[0]
            cursor.execute(TOP_OF_LATEST_MONTH, [TOP])
            top = cursor.fetchall()
            cursor.execute(LATEST_GENERATION)
            generation = cursor.fetchone()
    finally:
        connection.close()
    console.print()
    console.print(_leaderboard(month, top))
    console.print(
        "[dim]ALL adds up the accounts of one creator: followers, plays of Instagram and views of YouTube. "
        "- is not known.[/]",
        highlight=False,
    )
    console.print()
    console.print(steps.table())
    if generation:
        console.print()
        _print_freshness(generation, console)
    _print_addresses(settings, secrets, console)


def _leaderboard(month: str, rows: list[DictRow]) -> Table:
    table = Table(
        title=f"Leaderboard of {month}, read from PostgreSQL: top {TOP} by followers",
        title_justify="left",
        box=None,
        pad_edge=False,
        header_style="bold",
    )
    for name, justify in (
        ("platform", "left"), ("rank", "right"), ("was", "right"), ("account", "left"), ("category", "left"),
        ("language", "left"), ("followers", "right"), ("change", "right"), ("plays, views", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=justify, no_wrap=True)
    previous = None
    for row in rows:
        if previous not in (None, row["platform"]):
            table.add_section()
        table.add_row(
            "" if row["platform"] == previous else row["platform"],
            str(row["rank"]),
            str(row["rank_last_month"] or "-"),
            row["account"][:30],
            row["category"] or "-",
            row["language"] or "-",
            f"{row['followers']:,}",
            "-" if row["followers_change"] is None else f"{row['followers_change']:+,}",
            "-" if row["views"] is None else f"{row['views']:,}",
        )
        previous = row["platform"]
    return table


def _print_freshness(generation: DictRow, console: Console) -> None:
    def age(moment: datetime | None) -> str:
        if moment is None:
            return "unknown"
        minutes, seconds = divmod(int((datetime.now(UTC) - moment).total_seconds()), 60)
        return f"{moment:%Y-%m-%d %H:%M:%S} UTC ({minutes} min {seconds} s ago)"

    size = f", {generation['bytes'] / 1e6:.1f} MB exported" if generation["bytes"] else ""
    console.print(f"[bold]Published[/]     {generation['rows']:,} rows{size}", highlight=False)
    console.print(f"[bold]Newest event[/]  {age(generation['newest_event_at'])}", highlight=False)
    console.print(f"[bold]Mart built[/]    {age(generation['mart_built_at'])}", highlight=False)


def _print_addresses(settings: StackSettings, secrets: Secrets, console: Console) -> None:
    services = Stack(settings, SilentProgress()).services
    rows = (
        ("Airflow", f"{services['airflow-api'].address}   user {AIRFLOW_USER}   password {secrets.airflow_password}"),
        ("RabbitMQ", f"{services['rabbitmq'].management_url}   user stir   password in `make status`"),
        ("Alerts", services["slack"].address),
        ("Beat", f"{services['beat'].address}/stats"),
        ("Sinker", f"{services['sinker'].address}/metrics"),
    )
    console.print()
    for name, text in rows:
        console.print(f"[bold]{name:<13}[/] {text}", highlight=False, soft_wrap=True)
    console.print(
        "\nEverything stays up. The DAGs are paused again, so that this machine stays quiet: unpause one in the UI, "
        "sync_genre_overview_prod for example, to let its schedule run.\n"
        "`make status` shows the stack, `make demo` publishes a new generation, `make down` stops all.\n"
        'Next: eval "$(.venv/bin/python -m devstack env)", then .venv/bin/python -m stir status. Tables of DAGs that '
        "the demonstration leaves out are `never published`. README, Daily use, has more.",
        highlight=False,
        soft_wrap=True,
    )
