"""A process that reads a serving table without pause: `python generation_reader.py [query]`, its connection from PG*
variables.

It says "reading" after the first read, goes on until its standard input ends, and then prints as JSON what it saw:
the distinct rows of the query (rows and sum of followers, unless one is given), the errors, and how often the server's
death took its connection away.
"""

from __future__ import annotations

import json
import sys
import threading
import time

import psycopg2

ASK = "select count(*), coalesce(sum(followers), 0)::bigint from leaderboard"


def main() -> None:
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    seen: set[tuple[int, int]] = set()
    errors: list[str] = []
    lost = 0
    connection = None
    ask = sys.argv[1] if len(sys.argv) > 1 else ASK
    while not ended.is_set():
        try:
            if connection is None or connection.closed:
                connection = psycopg2.connect("", connect_timeout=5)
                connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(ask)
                first = not seen
                seen.add(cursor.fetchone())
            if first:
                print("reading", flush=True)
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if connection is not None and not connection.closed:
                errors.append(str(error))
            else:
                lost += 1
            connection = None
        except psycopg2.Error as error:
            errors.append(str(error))
        time.sleep(0.001)
    print(json.dumps({"seen": sorted(seen), "errors": errors, "lost": lost}))


if __name__ == "__main__":
    main()
