"""Creates the first administrator of the Airflow UI, or gives it the password of the environment. Runs after migration.

Reads AIRFLOW_ADMIN_PASSWORD, so that the password stands in no command line.
"""

from __future__ import annotations

import os
import sys

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

USER = "admin"


def main() -> int:
    password = os.environ.get("AIRFLOW_ADMIN_PASSWORD")
    if not password:
        print("AIRFLOW_ADMIN_PASSWORD is empty: run docker/init.sh, or set it in .env.", file=sys.stderr)
        return 2
    with get_application_builder() as builder:
        security = builder.sm
        known = security.find_user(username=USER)
        if known:
            security.reset_password(known.id, password)
        else:
            role = security.find_role("Admin")
            security.add_user(USER, "Stir", "Admin", "admin@localhost", role, password=password)
    print(f"Airflow administrator '{USER}' is ready.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
