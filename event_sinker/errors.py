"""What went wrong, and what follows from it: try again, look for the bad row, or stop."""

from __future__ import annotations

from enum import StrEnum

from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError
from urllib3.exceptions import HTTPError


class ErrorClass(StrEnum):
    """The consequence of a failed insert."""

    RETRY = "retry"  # the server or the network: the same block with the same token, until it is stored
    DATA = "data"  # some row: halve the block until the row stands alone
    FATAL = "fatal"  # table, rights or configuration: no retry can help, stop and say so
    UNKNOWN = "unknown"  # a code that no list has: try again, then look for the bad row, and blame none without proof


class SinkerError(Exception):
    """A condition that a person must resolve. The text says what to do; the process ends with EXIT_FATAL."""


class Abandoned(Exception):
    """The messages of a batch went back to RabbitMQ while it was written: whoever gets them next carries on."""


# Names of the codes: `SELECT code, name FROM system.errors`.
_RETRY = {
    3,  # UNEXPECTED_END_OF_FILE
    23,  # CANNOT_READ_FROM_ISTREAM
    24,  # CANNOT_WRITE_TO_OSTREAM
    32,  # ATTEMPT_TO_READ_AFTER_EOF
    33,  # CANNOT_READ_ALL_DATA: the request was cut off on its way
    40,  # CHECKSUM_DOESNT_MATCH: the request was damaged on its way
    49,  # LOGICAL_ERROR
    74,  # CANNOT_READ_FROM_FILE_DESCRIPTOR
    75,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR
    76,  # CANNOT_OPEN_FILE
    95,  # CANNOT_READ_FROM_SOCKET
    96,  # CANNOT_WRITE_TO_SOCKET
    107,  # FILE_DOESNT_EXIST
    159,  # TIMEOUT_EXCEEDED
    160,  # TOO_SLOW
    164,  # READONLY
    173,  # CANNOT_ALLOCATE_MEMORY
    198,  # DNS_ERROR
    201,  # QUOTA_EXCEEDED
    202,  # TOO_MANY_SIMULTANEOUS_QUERIES
    203,  # NO_FREE_CONNECTION
    209,  # SOCKET_TIMEOUT
    210,  # NETWORK_ERROR
    225,  # NO_ZOOKEEPER
    236,  # ABORTED
    241,  # MEMORY_LIMIT_EXCEEDED
    242,  # TABLE_IS_READ_ONLY
    243,  # NOT_ENOUGH_SPACE
    244,  # UNEXPECTED_ZOOKEEPER_ERROR
    252,  # TOO_MANY_PARTS
    254,  # NO_ACTIVE_REPLICAS
    271,  # CANNOT_DECOMPRESS: the request was damaged on its way
    279,  # ALL_CONNECTION_TRIES_FAILED
    285,  # TOO_FEW_LIVE_REPLICAS
    286,  # UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE
    289,  # REPLICA_IS_NOT_IN_QUORUM
    297,  # SHARD_HAS_NO_CONNECTIONS
    319,  # UNKNOWN_STATUS_OF_INSERT
    341,  # UNFINISHED
    354,  # ZLIB_INFLATE_FAILED: the request was damaged on its way
    364,  # RECEIVED_ERROR_TOO_MANY_REQUESTS
    369,  # ALL_REPLICAS_ARE_STALE
    394,  # QUERY_WAS_CANCELLED
    416,  # REPLICA_STATUS_CHANGED
    425,  # SYSTEM_ERROR
    439,  # CANNOT_SCHEDULE_TASK
    473,  # DEADLOCK_AVOIDED
    499,  # S3_ERROR: the disk of the table
    500,  # AZURE_BLOB_STORAGE_ERROR: the disk of the table
    561,  # ZSTD_DECODER_FAILED
    618,  # LZ4_DECODER_FAILED
    700,  # USER_SESSION_LIMIT_EXCEEDED
    722,  # ASYNC_LOAD_WAIT_FAILED: the server is starting
    733,  # TABLE_IS_BEING_RESTARTED
    735,  # QUERY_WAS_CANCELLED_BY_CLIENT
    745,  # SERVER_OVERLOADED
    776,  # RESOURCE_LIMIT_EXCEEDED
    777,  # MEMORY_RESERVATION_KILLED
    778,  # MEMORY_RESERVATION_FAILED
    999,  # KEEPER_EXCEPTION
    1000,  # POCO_EXCEPTION
    1001,  # STD_EXCEPTION
    1002,  # UNKNOWN_EXCEPTION
    1019,  # QUERY_SLOT_ACQUISITION_TIMEOUT
    1020,  # MEMORY_RESERVATION_ACQUISITION_TIMEOUT
}
_DATA = {
    6,  # CANNOT_PARSE_TEXT
    26,  # CANNOT_PARSE_QUOTED_STRING
    27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
    38,  # CANNOT_PARSE_DATE
    41,  # CANNOT_PARSE_DATETIME
    53,  # TYPE_MISMATCH
    69,  # ARGUMENT_OUT_OF_BOUND
    70,  # CANNOT_CONVERT_TYPE
    72,  # CANNOT_PARSE_NUMBER
    117,  # INCORRECT_DATA
    131,  # TOO_LARGE_STRING_SIZE
    321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
    349,  # CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
    469,  # VIOLATED_CONSTRAINT
}
_FATAL = {
    16,  # NO_SUCH_COLUMN_IN_TABLE
    20,  # NUMBER_OF_COLUMNS_DOESNT_MATCH
    47,  # UNKNOWN_IDENTIFIER
    60,  # UNKNOWN_TABLE
    62,  # SYNTAX_ERROR
    81,  # UNKNOWN_DATABASE
    115,  # UNKNOWN_SETTING
    192,  # UNKNOWN_USER
    193,  # WRONG_PASSWORD
    194,  # REQUIRED_PASSWORD
    218,  # TABLE_IS_DROPPED
    452,  # SETTING_CONSTRAINT_VIOLATION
    497,  # ACCESS_DENIED
    516,  # AUTHENTICATION_FAILED
}
_HINTS = {
    16: "run `python -m event_sinker init-schema`",
    47: "run `python -m event_sinker init-schema`",
    60: "run `python -m event_sinker init-schema`",
    81: "run `python -m event_sinker init-schema`",
    497: "grant the user INSERT and SELECT on the event tables and SELECT on system.processes",
}
_LOGIN_HINT = "check SINKER_CLICKHOUSE_USER and SINKER_CLICKHOUSE_PASSWORD"


def server_code(error: BaseException) -> int | None:
    """ClickHouse's error code, or None when no server answered."""
    return getattr(error, "code", None)


def classify(error: BaseException) -> ErrorClass:
    """The class of a failed insert or query."""
    code = server_code(error)
    if code in _RETRY:
        return ErrorClass.RETRY
    if code in _DATA:
        return ErrorClass.DATA
    if code in _FATAL:
        return ErrorClass.FATAL
    if code is None and isinstance(error, DataError):
        return ErrorClass.DATA  # the client could not write a value
    if code is None and isinstance(error, DatabaseError | OperationalError | HTTPError | OSError):
        return ErrorClass.RETRY  # connection refused, reset, timed out; or a gateway answered in ClickHouse's place
    return ErrorClass.UNKNOWN


def explain(error: BaseException) -> str:
    """One line for a person: what ClickHouse said and, where known, what to do."""
    # What ClickHouse says about a violated constraint ends with the values of the row, which may be personal.
    text = (str(error).splitlines() or [type(error).__name__])[0].split("Column values")[0][:300]
    code = server_code(error)
    hint = _HINTS.get(code, _LOGIN_HINT if code in {192, 193, 194, 516} else "")
    return f"{text}; {hint}" if hint else text
