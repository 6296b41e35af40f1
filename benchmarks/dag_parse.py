"""CPU seconds and memory that Airflow's dag-processor spends on parsing: this repository's DAG folder, the same DAGs in
one file each, and those files with the libraries that task code needs imported at the top, side by side in one run.
Beside them a folder with one DAG of one empty task: what Airflow takes whatever the DAGs are.

    python benchmarks/dag_parse.py [--rounds N] [--heavy]

Measured is `airflow dag-processor -n 1` as a whole: its start, one pass over every file, and writing the serialised
DAGs into a database of its own (SQLite, in a temporary folder). DagBag and `airflow dags reserialize` would hide most
of the cost, because the dag-processor forks for each file and each fork pays its own imports. Memory is the highest sum
of what the processor and its forks hold for themselves, shared pages counted once (PSS).
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

REPOSITORY = Path(__file__).resolve().parents[1]
DAGS = REPOSITORY / "dags"

LIMIT_CPU_SECONDS = 12.0

HEAVY_IMPORTS = (
    "import boto3\nimport clickhouse_connect\nimport httpx\nimport pika\nfrom dbt.cli.main import dbtRunner\n"
)
"""What task code needs and many DAG folders import at the top of each file."""

FLOOR = "one empty DAG"

EMPTY_DAG = """from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("empty", schedule=None):
    EmptyOperator(task_id="nothing")
"""


@dataclass(frozen=True)
class Layout:
    """A DAG folder to measure."""

    name: str
    folder: Path

    @property
    def files(self) -> int:
        return len(list(self.folder.glob("*.py")))


@dataclass(frozen=True)
class Pass:
    """One pass over a folder: CPU seconds, megabytes at the highest, DAGs found."""

    cpu_seconds: float
    megabytes: float
    dags: int


def layouts(home: Path) -> list[Layout]:
    """The folder as it is, one with an empty DAG, and the two others, written from the folder's modules."""
    floor, by_file, heavy = home / "floor", home / "files", home / "heavy"
    floor.mkdir()
    (floor / "empty.py").write_text(EMPTY_DAG)
    for folder in (by_file, heavy):
        folder.mkdir()
        (folder / "candidates").symlink_to(DAGS / "candidates")
    for module in sorted(DAGS.glob("*.py")):
        for number, source in enumerate(single_dags(module)):
            # No file may be called dbt_*.py: dbt would import it as a plugin.
            (by_file / f"{module.stem}_{number:02}.py").write_text(f"from __future__ import annotations\n\n{source}")
            (heavy / f"{module.stem}_{number:02}.py").write_text(
                f"from __future__ import annotations\n\n{HEAVY_IMPORTS}\n{source}"
            )
    return [
        Layout("modules by domain (this repository)", DAGS),
        Layout(FLOOR, floor),
        Layout("one file per DAG", by_file),
        Layout("one file per DAG, libraries at the top", heavy),
    ]


def single_dags(module: Path) -> list[str]:
    """One source text per DAG of a module: its own statement, and what that refers to.

    Imports of Airflow stay in every text, as the dag-processor imports them before it forks.
    """
    body = ast.parse(module.read_text()).body
    declaring = [statement for statement in body if declares_a_dag(statement)]
    texts = []
    for declaration in declaring:
        needed, kept = names_in(declaration), {id(declaration)}
        for statement in reversed([each for each in body if not declares_a_dag(each)]):
            if is_airflow_import(statement) or needed & names_given(statement):
                kept.add(id(statement))
                needed |= names_in(statement)
        texts.append("\n".join(ast.unparse(statement) for statement in body if id(statement) in kept))
    return texts


def declares_a_dag(statement: ast.stmt) -> bool:
    """Every DAG is a `with` at the top of a module, or a name given to what `sync` of the serving module returns."""
    if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
        return isinstance(statement.value.func, ast.Name) and statement.value.func.id == "sync"
    return isinstance(statement, ast.With)


def is_airflow_import(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("airflow")


def names_in(tree: ast.AST) -> set[str]:
    """Names that a statement refers to."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def names_given(statement: ast.stmt) -> set[str]:
    """Names that a statement of a module defines."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.split(".")[0] for alias in statement.names}
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.AnnAssign):
        return names_in(statement.target)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return {name for target in targets for name in names_in(target)}


def airflow(home: Path, folder: Path, *arguments: str) -> tuple[float, float]:
    """Run one Airflow command; returns CPU seconds, children included, and megabytes. Exits with its output when it
    fails.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
        "PYTHONPATH": str(REPOSITORY / "plugins"),
        "PYTHONWARNINGS": "ignore",
    }
    with (home / "output.txt").open("w+") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).parent / "airflow"), *arguments],
            env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        highest = 0.0
        while True:
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            if ended:
                process.returncode = os.waitstatus_to_exitcode(status)
                break
            highest = max(highest, megabytes(process.pid))
            time.sleep(0.25)
        if process.returncode != 0:
            output.seek(0)
            raise SystemExit(f"airflow {' '.join(arguments)} failed:\n{output.read()[-3000:]}")
    return used.ru_utime + used.ru_stime, highest


def megabytes(pid: int) -> float:
    """Memory of a process and its children at this moment."""
    total = 0
    with suppress(psutil.Error):
        for process in (root := psutil.Process(pid), *root.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total / 1e6


def measure(layout: Layout, work: Path, empty_database: Path) -> Pass:
    """One pass with a fresh database. Exits when a file has an error."""
    home = Path(tempfile.mkdtemp(dir=work))
    shutil.copyfile(empty_database, home / "airflow.db")
    seconds, highest = airflow(home, layout.folder, "dag-processor", "-n", "1")
    with sqlite3.connect(home / "airflow.db") as database:
        found = database.execute("select count(*) from serialized_dag").fetchone()[0]
        errors = database.execute("select filename, stacktrace from import_error").fetchall()
    if errors:
        raise SystemExit(f"{layout.name}: {errors}")
    return Pass(seconds, highest, found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="passes per layout, in turns (default 3)")
    parser.add_argument(
        "--heavy", action="store_true", help="also one file per DAG with libraries at the top (minutes)"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="stir-dag-parse-") as folder:
        work = Path(folder)
        (work / "empty").mkdir()
        compared = layouts(work)[: 4 if options.heavy else 3]
        passes: dict[str, list[Pass]] = {layout.name: [] for layout in compared}
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            step = progress.add_task("empty Airflow database")
            airflow(work, work / "empty", "db", "migrate")
            for number in range(options.rounds):
                for layout in compared:
                    progress.update(step, description=f"round {number + 1}: {layout.name}")
                    passes[layout.name].append(measure(layout, work, work / "airflow.db"))
        print_passes(compared, passes)


def print_passes(compared: list[Layout], passes: dict[str, list[Pass]]) -> None:
    """Medians over the rounds, with the spread. Exits when the layouts do not hold the same number of DAGs."""
    found = {name: each[0].dags for name, each in passes.items()}
    if len({count for name, count in found.items() if name != FLOOR}) > 1:
        raise SystemExit(f"the layouts differ: {found}")
    base = median(each.cpu_seconds for each in passes[compared[0].name])
    table = Table(
        "layout", "files", "DAGs", "CPU s, median", "spread", "ratio", "MB", title="airflow dag-processor -n 1"
    )
    for layout in compared:
        seconds = [each.cpu_seconds for each in passes[layout.name]]
        table.add_row(
            layout.name,
            str(layout.files),
            str(found[layout.name]),
            f"{median(seconds):.1f}",
            f"{min(seconds):.1f} - {max(seconds):.1f}",
            f"{median(seconds) / base:.1f}",
            f"{max(each.megabytes for each in passes[layout.name]):.0f}",
        )
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(table)
    console.print(f"target: at most {LIMIT_CPU_SECONDS:.0f} CPU seconds for this layout")


if __name__ == "__main__":
    main()
