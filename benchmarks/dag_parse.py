"""CPU seconds that Airflow's dag-processor spends on parsing: this repository's DAG folder, the same layout grown to
all 76 DAGs, and the usual layout of one file per DAG, side by side in one run.

    python benchmarks/dag_parse.py [--rounds N] [--heavy]

Measured is `airflow dag-processor -n 1` as a whole: its start, one pass over every file, and writing the serialised
DAGs into a database of its own (SQLite, in a temporary folder). DagBag and `airflow dags reserialize` would hide most
of the cost, because the dag-processor forks for each file and each fork pays its own imports.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests" / "dags"))

from dag_inventory import SCHEDULE_VARIABLES, SCHEDULES  # noqa: E402 -- the tests' list of all 76 DAGs

LIMIT_CPU_SECONDS = 12.0

AIRFLOW_IMPORTS = {
    "dbt": "from airflow.providers.standard.operators.python import ShortCircuitOperator\n"
    "from airflow.providers.standard.sensors.python import PythonSensor\n",
    "serving": "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator\n"
    "from airflow.providers.ssh.operators.ssh import SSHOperator\n"
    "from airflow.providers.standard.operators.python import PythonOperator\n",
    "python": "from airflow.providers.standard.operators.python import PythonOperator\n",
}

HEAVY_IMPORTS = (
    "import boto3\nimport clickhouse_connect\nimport httpx\nimport pika\nfrom dbt.cli.main import dbtRunner\n"
)
"""What task code needs and many DAG folders import at the top of each file."""

HEAD = """from __future__ import annotations

from datetime import timedelta
from pathlib import Path

{airflow}from airflow.sdk import DAG, Param

from stir.dag_declaration import DagDeclaration, Documentation, Kind
{stir}
TEXT = Documentation(purpose="Stands for a DAG. It does its kind of work.", inputs="a", outputs="b", on_failure="Look.")
"""

STIR_IMPORTS = {
    "dbt": "from stir.dbt_run import dbt_run\nfrom stir.time_guards import EVENING_PAUSE\n",
    "scrape": "from stir.scrape_request import FailureRule, ScrapeSource\n"
    "from stir.scrape_request_task import request_params, send_scrape_requests\n",
    "message": "from stir.message_per_row import MessageSource, message_params, publish_messages\n",
    "serving": "from stir.serving.naming import PRODUCTION\nfrom stir.serving.sync_dag import serving_dag\n"
    "from stir.serving.targets.leaderboard import LEADERBOARD\n",
}

BODIES = {
    "dbt": """
with DagDeclaration(dag_id="{id}", kind=Kind.DBT, schedule={schedule!r}, run_limit=timedelta(hours=1), pool="dbt_long",
                    params={{"full_refresh": Param(False, type="boolean")}}, documentation=TEXT).dag():
    pause = ShortCircuitOperator(task_id="outside_evening_pause", python_callable=EVENING_PAUSE.check)
    pause >> dbt_run("{id}")
""",
    "scrape": """
{id} = ScrapeSource(flow="refresh_post_by_shortcode", platform="INSTAGRAM", entity_key=("shortcode",),
                    candidates=Path(__file__).with_name("{id}.sql"), order="publish_time", limit=250,
                    cool_down=timedelta(hours=12), failure_rule=FailureRule(failures=2, within=timedelta(days=30)))
with DagDeclaration(dag_id="{id}", kind=Kind.SCRAPE_REQUEST, schedule={schedule!r}, pool="beat",
params=request_params({id}), documentation=TEXT).dag(): send_scrape_requests({id})
""",
    "message": """
{id} = MessageSource(name="{id}", exchange="campaign.dx", routing_key="key",
candidates=Path(__file__).with_name("{id}.sql"), id_column="id", order="id", limit=5000, cool_down=timedelta(days=1))
with DagDeclaration(dag_id="{id}", kind=Kind.MESSAGE_PER_ROW, schedule={schedule!r}, pool="rabbitmq",
params=message_params({id}), documentation=TEXT).dag(): publish_messages({id})
""",
    "serving": """
{id} = serving_dag(DagDeclaration(dag_id="{id}", kind=Kind.SERVING_SYNC, schedule={schedule!r}, pool="serving",
                                  documentation=TEXT), LEADERBOARD, PRODUCTION)
""",
}

MESSAGES = {
    "sync_final_post_submitted_for_cp", "sync_missing_journey", "sync_post_with_saas_again", "uca_su_saas_item_sync",
    "sync_post_collection_sentiment_report_path", "sync_keyword_collection_report", "upload_handle_verification",
    "mark_campaign_completed_on_refer_launch", "upload_content_verification", "crm_recommendation_invitation",
    "create_payout_for_active_su_if_not_present", "slack_connection", "cleanup_serving_artifacts",
}  # fmt: skip


@dataclass(frozen=True)
class Layout:
    """A DAG folder to measure."""

    name: str
    folder: Path
    expected_dags: int | None
    files: int


def count(folder: Path) -> int:
    """Python files of a folder."""
    return len(list(folder.glob("*.py")))


def kind_of(dag_id: str) -> str:
    """The kind of work of one DAG, and with it the room that its declaration needs."""
    if dag_id.startswith(("dbt_", "post_ranker", "refresh_account_tracker")):
        return "dbt"
    if dag_id.endswith(("_prod", "_staging")):
        return "serving"
    return "message" if dag_id in MESSAGES else "scrape"


def module_of(dag_id: str) -> str:
    """The module of `dags/` in which a DAG stands or will stand."""
    kind = kind_of(dag_id)
    if kind == "dbt":
        return "transform"
    if kind == "serving":
        return "serving"
    if dag_id.startswith(("slack", "cleanup")):
        return "maintenance"
    if dag_id.startswith(("upload_", "uca_")):
        return "assets"
    if kind == "message":
        return "operations"
    return "youtube" if "yt_" in dag_id or "youtube" in dag_id else "instagram"


def write_module(path: Path, dag_ids: Iterable[str], schedules: dict[str, str | None]) -> None:
    """One Python file that declares these DAGs."""
    dag_ids = list(dag_ids)
    kinds = {kind_of(dag_id) for dag_id in dag_ids}
    airflow = "".join(dict.fromkeys(AIRFLOW_IMPORTS.get(kind, AIRFLOW_IMPORTS["python"]) for kind in sorted(kinds)))
    stir = "".join(STIR_IMPORTS[kind] for kind in sorted(kinds))
    bodies = (BODIES[kind_of(dag_id)].format(id=dag_id, schedule=schedules[dag_id]) for dag_id in dag_ids)
    path.write_text(HEAD.format(airflow=airflow, stir=stir) + "".join(bodies))


def grown_layouts(home: Path, heavy: bool) -> list[Layout]:
    """All 76 DAGs twice: in modules by domain, and in one file each; `heavy` adds the latter with libraries at the
    top.
    """
    schedules = {**SCHEDULES, **dict.fromkeys(SCHEDULE_VARIABLES, "0 */6 * * *")}
    by_module, by_file = home / "modules", home / "files"
    by_module.mkdir()
    by_file.mkdir()
    for module in sorted({module_of(dag_id) for dag_id in schedules}):
        members = [dag_id for dag_id in schedules if module_of(dag_id) == module]
        write_module(by_module / f"{module}.py", members, schedules)
    for dag_id in schedules:
        # No file may be called dbt_*.py: dbt would import it as a plugin.
        write_module(by_file / f"the_{dag_id}.py", [dag_id], schedules)
    layouts = [
        Layout("76 DAGs in modules by domain (this layout)", by_module, len(schedules), count(by_module)),
        Layout("76 DAGs in one file each", by_file, len(schedules), count(by_file)),
    ]
    if heavy:
        with_libraries = home / "heavy"
        with_libraries.mkdir()
        for file in by_file.glob("*.py"):
            future, rest = file.read_text().split("\n", 1)
            (with_libraries / file.name).write_text(f"{future}\n{HEAVY_IMPORTS}{rest}")
        layouts.append(Layout("76 files that also import libraries", with_libraries, len(schedules), len(schedules)))
    return layouts


def airflow(home: Path, folder: Path, *arguments: str) -> float:
    """Run one Airflow command; returns its CPU seconds, children included. Exits with its output when it fails."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
        "PYTHONPATH": str(REPOSITORY / "plugins"),
        "PYTHONWARNINGS": "ignore",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [str(Path(sys.executable).parent / "airflow"), *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        raise SystemExit(f"airflow {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(layout: Layout, work: Path, empty_database: Path) -> tuple[float, int]:
    """CPU seconds and number of DAGs found, for one pass with a fresh database. Exits when DAGs are missing."""
    home = Path(tempfile.mkdtemp(dir=work))
    shutil.copyfile(empty_database, home / "airflow.db")
    seconds = airflow(home, layout.folder, "dag-processor", "-n", "1")
    with sqlite3.connect(home / "airflow.db") as database:
        found = database.execute("select count(*) from serialized_dag").fetchone()[0]
        errors = database.execute("select filename, stacktrace from import_error").fetchall()
    if errors or (layout.expected_dags is not None and found != layout.expected_dags):
        raise SystemExit(f"{layout.name}: {found} DAGs found, expected {layout.expected_dags}; import errors: {errors}")
    return seconds, found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=1, help="passes per layout; the best one counts (default 1)")
    parser.add_argument(
        "--heavy",
        action="store_true",
        help="also measure one file per DAG with boto3, dbt, ... imported at the top (minutes)",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stir-dag-parse-") as folder:
        work = Path(folder)
        (work / "empty").mkdir()
        layouts = [
            Layout("this repository today", REPOSITORY / "dags", None, count(REPOSITORY / "dags")),
            *grown_layouts(work),
        ]
        results: list[tuple[Layout, float, int]] = []
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            step = progress.add_task("empty Airflow database")
            airflow(work, work / "empty", "db", "migrate")
            for layout in layouts:
                progress.update(step, description=layout.name)
                passes = [measure(layout, work, work / "airflow.db") for _ in range(options.rounds)]
                results.append((layout, min(seconds for seconds, _ in passes), passes[0][1]))
    base = results[1][1]
    table = Table("layout", "files", "DAGs", "CPU s", "ratio", title="airflow dag-processor -n 1")
    for layout, seconds, found in results:
        table.add_row(layout.name, str(layout.files), str(found), f"{seconds:.1f}", f"{seconds / base:.1f}")
    Console().print(table)
    Console().print(f"target: at most {LIMIT_CPU_SECONDS:.0f} CPU seconds for 76 DAGs in this layout")
    return 0


if __name__ == "__main__":
    sys.exit(main())
