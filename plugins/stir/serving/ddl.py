"""DDL of a serving table, generated from its declaration. `schema/serving/<target>.sql` holds this text."""

from __future__ import annotations

from stir.serving.declaration import Target


def table_ddl(target: Target) -> str:
    """CREATE TABLE and indexes, with the permanent names that every swap ends with. Idempotent on an empty database."""
    keys = [index for index in target.indexes if index.primary]
    lines = [f"    {column.ddl}" for column in target.columns]
    lines += [f"    constraint {index.name} primary key ({', '.join(index.columns)})" for index in keys]
    statements = [f"create table if not exists {target.name} (\n" + ",\n".join(lines) + "\n);"]
    statements += [
        f"create {'unique ' if index.unique else ''}index if not exists {index.name}\n"
        f"    on {target.name} ({', '.join(index.columns)});"
        for index in target.indexes
        if not index.primary
    ]
    head = (
        f"-- {target.description}\n"
        f"-- Generated: python -m stir.serving ddl {target.name}. "
        f"The definition is plugins/stir/serving/targets/{target.name}.py."
    )
    return head + "\n\n" + "\n\n".join(statements) + "\n"
