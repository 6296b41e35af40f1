"""`python -m stir status`: how fresh each serving table is. Short for `python -m stir.serving status`."""

from __future__ import annotations

import sys

from stir.serving.__main__ import main

if __name__ == "__main__":
    if sys.argv[1:2] != ["status"]:
        sys.exit("usage: python -m stir status [--environment {prod,staging}]")
    sys.exit(main(sys.argv[1:]))
