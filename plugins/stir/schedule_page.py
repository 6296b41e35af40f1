"""`python -m stir.schedule_page [--check]`: docs/schedule.md, the table of all DAGs, from their declarations.

Exit codes: 0 written or up to date, 1 out of date (with --check), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from stir.dag_declaration import REGISTRY, DagDeclaration, Kind, minutes

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "schedule.md"

TITLES = {
    Kind.DBT: "dbt tiers",
    Kind.SERVING_SYNC: "Publishing to PostgreSQL",
    Kind.SCRAPE_REQUEST: "Scrape requests",
    Kind.SCRAPE_UPDATE: "Care of scrape requests",
    Kind.MESSAGE_PER_ROW: "Messages to other services",
    Kind.SEARCH_IMPORT: "Imports",
    Kind.CRM_EVENT: "CRM events",
    Kind.HEALTH_CHECK: "Health checks",
    Kind.HOUSEKEEPING: "Housekeeping",
    Kind.OPERATOR: "Started by people only",
}
"""Sections of the page, in order."""

HEAD = """# Schedule

Generated from the declarations by `make schedule`; do not edit. All times are UTC. {count} DAGs are the platform's
work, {manual} more are tools that only people start. A run over its limit is stopped and reported; each task alerts
after its last retry.
"""


def page(declarations: Iterable[DagDeclaration]) -> str:
    """The whole page as Markdown."""
    found = sorted(declarations, key=lambda declaration: declaration.dag_id)
    counted = [declaration for declaration in found if declaration.counted]
    sections = [HEAD.format(count=len(counted), manual=len(found) - len(counted))]
    for kind, title in TITLES.items():
        rows = [row(declaration) for declaration in found if section(declaration) is kind]
        if rows:
            sections.append(
                f"## {title} ({len(rows)})\n\n| DAG | when | what | limit, min | pool | owner | runbook |\n"
                "|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
            )
    return "\n".join(sections)


def section(declaration: DagDeclaration) -> Kind:
    """Tools of operators have a section of their own, whatever they do."""
    return declaration.kind if declaration.counted else Kind.OPERATOR


def row(declaration: DagDeclaration) -> str:
    """One line of the table."""
    when = f"`{declaration.schedule}`" if isinstance(declaration.schedule, str) else "by hand"
    if declaration.schedule is not None and not isinstance(declaration.schedule, str):
        when = "on assets"
    if declaration.schedule_variable:
        when += f" or Variable `{declaration.schedule_variable}`"
    if declaration.pause:
        when += f", not from {declaration.pause.hours}"
    cells = (
        f"`{declaration.dag_id}`",
        when,
        declaration.documentation.summary.replace("|", "\\|"),
        str(minutes(declaration.limit)),
        declaration.pool,
        declaration.owner,
        f"[{declaration.runbook_name}](runbooks/{declaration.runbook_name}.md)",
    )
    return f"| {' | '.join(cells)} |"


def declare_all(folder: Path = REPOSITORY / "dags") -> None:
    """Import every DAG module, which enters its declarations in the registry."""
    for path in sorted(folder.glob("*.py")):
        spec = importlib.util.spec_from_file_location(f"declared_{path.stem}", path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} cannot be imported")
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m stir.schedule_page", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is out of date")
    options = parser.parse_args(arguments)
    declare_all()
    text = page(REGISTRY.values())
    if options.check:
        current = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
        print(f"{PAGE.name} is up to date" if current else f"{PAGE.name} is out of date: run `make schedule`")
        return 0 if current else 1
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE.relative_to(REPOSITORY)}: {len(REGISTRY)} DAGs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
