"""`python -m stir status`: how fresh each serving table is. Short for `python -m stir.serving status`."""

from __future__ import annotations

import sys

from stir.serving.__main__ import program

USAGE = """usage: python -m stir status [--environment {prod,staging}]

status   for each serving table the live generation, how old its mart and its newest event are, and the last refusal
         since. Exit code 0: all within their limits, 4: a table is older than its limit, 1: a database did not answer

More commands (history, rollback, verify, ddl): python -m stir.serving --help"""

if __name__ == "__main__":
    if sys.argv[1:2] != ["status"]:
        asked = sys.argv[1:2] in (["-h"], ["--help"])
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        sys.exit(0 if asked else 2)
    sys.exit(program())
