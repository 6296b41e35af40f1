"""What PostgreSQL's catalog says about a table: columns, indexes, views on it, grants, and what a swap could not carry
over.

All names are looked up on the connection's search path, as the statements that use them are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg2.extensions


@dataclass(frozen=True)
class View:
    """A view that reads the table directly, with the statement that points it at the table's name anew."""

    name: str
    """Quoted and schema-qualified."""
    owner: str
    """Quoted."""
    statement: str


def relation_exists(cursor: psycopg2.extensions.cursor, name: str) -> bool:
    cursor.execute("select to_regclass(%s) is not null", (name,))
    return bool(cursor.fetchone()[0])


def relation_oid(cursor: psycopg2.extensions.cursor, name: str) -> int | None:
    cursor.execute("select to_regclass(%s)::oid::bigint", (name,))
    return cursor.fetchone()[0]


def relation_bytes(cursor: psycopg2.extensions.cursor, name: str) -> int:
    """Bytes of a table on disk, with its indexes and long values."""
    cursor.execute("select pg_total_relation_size(%s)", (name,))
    return int(cursor.fetchone()[0])


def column_types(cursor: psycopg2.extensions.cursor, table: str) -> dict[str, str]:
    """Type by column name, as format_type writes it; empty when the table does not exist."""
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute "
        "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped order by attnum",
        (table,),
    )
    return dict(cursor.fetchall())


def index_names(cursor: psycopg2.extensions.cursor, table: str) -> list[str]:
    cursor.execute(
        "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid "
        "where i.indrelid = to_regclass(%s) order by c.relname",
        (table,),
    )
    return [row[0] for row in cursor.fetchall()]


def views_on(cursor: psycopg2.extensions.cursor, table: str) -> list[View]:
    """Views that read the table directly. Views on these views follow them and need nothing."""
    cursor.execute(
        """
        select distinct format('%%I.%%I', n.nspname, v.relname), quote_ident(pg_get_userbyid(v.relowner)),
            format('create or replace view %%I.%%I%%s as %%s', n.nspname, v.relname,
                coalesce(' with (' || array_to_string(v.reloptions, ', ') || ')', ''), pg_get_viewdef(v.oid))
        from pg_depend d
        join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
        join pg_class v on v.oid = r.ev_class and v.relkind = 'v'
        join pg_namespace n on n.oid = v.relnamespace
        where d.refobjid = to_regclass(%s) and d.refclassid = 'pg_class'::regclass
        order by 1
        """,
        (table,),
    )
    return [View(name, owner, statement.rstrip().rstrip(";")) for name, owner, statement in cursor.fetchall()]


def grant_statements(cursor: psycopg2.extensions.cursor, source: str, to: str) -> list[str]:
    """Statements that give table `to` the owner, the storage options and exactly the grants (of columns too) of table
    `source`: what `to` has beyond them, by default privileges or from the time before they were revoked, is taken away.
    """
    cursor.execute(
        """
        with tables as (
            select c.*, c.oid = to_regclass(%(source)s) as is_source
            from pg_class c where c.oid in (to_regclass(%(source)s), to_regclass(%(to)s))
        ),
        granted as (
            select is_source, a.grantee, a.privilege_type, a.is_grantable, null::name as attname
            from tables, aclexplode(tables.relacl) as a where a.grantee <> tables.relowner
            union all
            select is_source, a.grantee, a.privilege_type, a.is_grantable, t.attname
            from tables join pg_attribute t on t.attrelid = tables.oid, aclexplode(t.attacl) as a
            where t.attnum > 0 and not t.attisdropped and a.grantee <> tables.relowner
        ),
        changes as (
            select 1 as step, e.* from (
                select grantee, privilege_type, is_grantable, attname from granted where not is_source
                except
                select grantee, privilege_type, is_grantable, attname from granted where is_source
            ) as e
            union all
            select 2, grantee, privilege_type, is_grantable, attname from granted where is_source
        )
        select format('%%s %%s%%s on %%s %%s %%s%%s', case step when 1 then 'revoke' else 'grant' end, privilege_type,
            case when attname is null then '' else format(' (%%I)', attname) end, %(to)s::text,
            case step when 1 then 'from' else 'to' end,
            case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end,
            case when step = 1 then ' cascade' when is_grantable then ' with grant option' else '' end)
        from changes order by step
        """,
        {"source": source, "to": to},
    )
    statements = [row[0] for row in cursor.fetchall()]
    cursor.execute(
        """
        select pg_get_userbyid(s.relowner), pg_get_userbyid(w.relowner), array_to_string(s.reloptions, ', ')
        from pg_class s, pg_class w where s.oid = to_regclass(%s) and w.oid = to_regclass(%s)
        """,
        (source, to),
    )
    owner, current_owner, options = cursor.fetchone()
    if options:
        statements.append(f"alter table {to} set ({options})")
    if owner != current_owner:
        statements.append(f'alter table {to} owner to "{owner}"')
    return statements


def owned_sequences(cursor: psycopg2.extensions.cursor, table: str) -> list[tuple[str, str]]:
    """Sequences that belong to a column of the table: (quoted sequence name, column)."""
    cursor.execute(
        """
        select format('%%I.%%I', n.nspname, s.relname), a.attname
        from pg_depend d
        join pg_class s on s.oid = d.objid and s.relkind = 'S'
        join pg_namespace n on n.oid = s.relnamespace
        join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.refobjid = to_regclass(%s) and d.deptype = 'a' and d.classid = 'pg_class'::regclass
        """,
        (table,),
    )
    return list(cursor.fetchall())


def table_comment(cursor: psycopg2.extensions.cursor, table: str) -> str | None:
    cursor.execute("select obj_description(to_regclass(%s), 'pg_class')", (table,))
    return cursor.fetchone()[0]


def swap_blockers(cursor: psycopg2.extensions.cursor, table: str) -> list[str]:
    """What keeps another table from taking this one's place: its owner, and what hangs on it and would stay behind on
    the old generation. One sentence each.
    """
    cursor.execute(
        """
        select format('the table belongs to role %%I, so %%I cannot replace it; change its owner or the membership',
            pg_get_userbyid(relowner), current_user)
        from pg_class where oid = to_regclass(%(table)s) and not pg_has_role(relowner, 'usage')
        union all
        select distinct format('materialized view %%s would keep reading the old generation; make it a view',
            v.oid::regclass)
        from pg_depend d
        join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
        join pg_class v on v.oid = r.ev_class and v.relkind = 'm'
        where d.refobjid = to_regclass(%(table)s)
        union all
        select distinct format(
            'view %%s belongs to role %%I, so %%I cannot re-create it; change its owner or the membership',
            v.oid::regclass, pg_get_userbyid(v.relowner), current_user)
        from pg_depend d
        join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass
        join pg_class v on v.oid = r.ev_class and v.relkind = 'v'
        where d.refobjid = to_regclass(%(table)s) and not pg_has_role(v.relowner, 'usage')
        union all
        select format('foreign key %%s of %%s points at the table; drop it', conname, conrelid::regclass)
        from pg_constraint where confrelid = to_regclass(%(table)s) and contype = 'f'
        union all
        select format('foreign key %%s of the table to %%s would be lost; drop it', conname, confrelid::regclass)
        from pg_constraint where conrelid = to_regclass(%(table)s) and contype = 'f' and confrelid <> conrelid
        union all
        select distinct format('rule %%s of %%s would stay with the old generation; drop it',
            r.rulename, r.ev_class::regclass)
        from pg_depend d
        join pg_rewrite r on r.oid = d.objid and d.classid = 'pg_rewrite'::regclass and r.rulename <> '_RETURN'
        where d.refobjid = to_regclass(%(table)s) and d.refclassid = 'pg_class'::regclass
        union all
        select distinct format('function %%s would keep using the old generation; write its body as a string',
            d.objid::regprocedure)
        from pg_depend d
        where d.refobjid = to_regclass(%(table)s) and d.refclassid = 'pg_class'::regclass
            and d.classid = 'pg_proc'::regclass
        union all
        select format('publication %%s would go on with the old generation; take the table out, or publish the schema',
            p.pubname)
        from pg_publication_rel r join pg_publication p on p.oid = r.prpubid where r.prrelid = to_regclass(%(table)s)
        union all
        select format('extended statistics %%s would be lost; drop them', stxname)
        from pg_statistic_ext where stxrelid = to_regclass(%(table)s)
        union all
        select format('trigger %%s would be lost; drop it', tgname)
        from pg_trigger where tgrelid = to_regclass(%(table)s) and not tgisinternal
        union all
        select format('policy %%s would be lost; drop it', polname)
        from pg_policy where polrelid = to_regclass(%(table)s)
        order by 1
        """,
        {"table": table},
    )
    return [row[0] for row in cursor.fetchall()]
