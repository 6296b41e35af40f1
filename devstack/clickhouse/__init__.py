"""A local ClickHouse server: the chDB engine behind ClickHouse's HTTP interface and native TCP protocol.

For development and tests only: one user, one machine, loopback only. The engine itself has no access control, so the
login that both protocols check keeps honest programs apart and is no security boundary.
"""
