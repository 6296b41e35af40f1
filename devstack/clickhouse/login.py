"""The one user that both protocols accept, and where its password comes from."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path

from devstack.clickhouse.errors import AUTHENTICATION_FAILED, ClickHouseError

PASSWORD_VARIABLE = "STIR_CLICKHOUSE_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_FILE_VARIABLE = "STIR_CLICKHOUSE_PASSWORD_FILE"  # noqa: S105


class NoPasswordError(Exception):
    """No usable password was configured; the message says what to do."""


@dataclass(frozen=True)
class Login:
    """User name and password, compared in constant time."""

    user: str
    password: str = field(repr=False)

    @classmethod
    def from_environment(cls, user: str) -> Login | None:
        """Read the password from STIR_CLICKHOUSE_PASSWORD or the file named by STIR_CLICKHOUSE_PASSWORD_FILE.

        None if neither is set; NoPasswordError if the file cannot be read or is empty. The variable is removed from
        this process, so that nothing started from here inherits it.
        """
        password = os.environ.pop(PASSWORD_VARIABLE, "")
        file = os.environ.get(PASSWORD_FILE_VARIABLE)
        if not password and file:
            try:
                password = Path(file).read_text().strip()
            except OSError as error:
                raise NoPasswordError(f"Cannot read {PASSWORD_FILE_VARIABLE}={file}: {error.strerror}.") from None
            if not password:
                raise NoPasswordError(f"{PASSWORD_FILE_VARIABLE}={file} is empty: write the password into it.")
        return cls(user, password) if password else None

    def check(self, user: str, password: str) -> None:
        """Raise ClickHouseError 516 unless both are right."""
        right_user = hmac.compare_digest(user.encode(), self.user.encode())
        right_password = hmac.compare_digest(password.encode(), self.password.encode())
        if not (right_user and right_password):
            raise ClickHouseError(
                AUTHENTICATION_FAILED,
                f"{user}: Authentication failed: password is incorrect, or there is no user with such name.",
                "AUTHENTICATION_FAILED",
            )
