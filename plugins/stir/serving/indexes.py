"""Indexes and statistics of the working table, built before it goes live. The swap gives permanent names."""

from __future__ import annotations

from stir.serving.load import one_writer
from stir.serving.naming import RunNames


def index_statements(names: RunNames) -> str:
    """One transaction; running it again after a failure or a success ends in the same state."""
    target, table = names.target, names.working_table
    required = [column.name for column in target.exported if column.required]
    statements = [one_writer(target)]
    if required:
        statements.append(f"alter table {table} " + ", ".join(f"alter column {name} set not null" for name in required))
    for number, index in enumerate(target.indexes):
        name, columns = names.working_index(number), ", ".join(index.columns)
        if index.primary:
            statements.append(f"alter table {table} drop constraint if exists {name}")
            statements.append(f"alter table {table} add constraint {name} primary key ({columns})")
        else:
            statements.append(f"drop index if exists {name}")
            statements.append(f"create {'unique ' if index.unique else ''}index {name} on {table} ({columns})")
    statements.append(f"analyze {table}")
    return ";\n".join(statements) + ";"
