"""Where errors of SQLAlchemy and the drivers become ours, once.

the connection is refused, lost or silent; a lock is not had in time   StoreUnavailable
the schema is not this version's (a table or column is not there)      StoreUnavailable
the disk is full                                                       NoSpace
a unique or foreign key is violated; a deadlock; a lost serialisation  StaleVersion
a value that the database can't hold                                   InvalidInput

Anything else is a mistake in our own code and passes as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg  # type: ignore[import-untyped]  # it comes without types
from sqlalchemy import exc

from moviola.errors import InvalidInput, MoviolaError, NoSpace, StaleVersion, StoreUnavailable

_DISK_FULL = "53100"
_LOST_A_RACE = {"23503", "23505", "40001", "40P01"}
_LOST_A_RACE_IN_SQLITE = ("UNIQUE constraint failed", "FOREIGN KEY constraint failed")
_OTHER_SCHEMA = {"42P01", "42703"}
_DATA_CLASS = "22"
# PostgreSQL's error codes, appendix A: connection, refused login, no such database, resources, object in use or locked,
# intervention (shutdown, cancel, timeout), system, internal.
_UNAVAILABLE_CLASSES = {"08", "28", "3D", "53", "55", "57", "58", "XX"}


@contextmanager
def translated() -> Iterator[None]:
    """Errors that come from the database inside this context are raised as the port promises them."""
    try:
        yield
    except exc.DBAPIError as error:
        ours = _of_database(error)
        if ours is None:
            raise
        raise ours from error
    except exc.StatementError as error:
        # A value was refused on its way to the database, by a column type of ours.
        if isinstance(error.orig, MoviolaError):
            raise error.orig from error
        raise
    except exc.TimeoutError as error:
        raise StoreUnavailable("No connection to the database became free in time.") from error
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StoreUnavailable(f"The database can't be reached: {_told(error)}.") from error
    except (UnicodeEncodeError, OverflowError) as error:
        raise InvalidInput("A value can't be stored in the database.") from error


def _of_database(error: exc.DBAPIError) -> MoviolaError | None:
    state: str = getattr(error.orig, "sqlstate", None) or ""
    words = str(error.orig)
    if state == _DISK_FULL or "database or disk is full" in words:
        return NoSpace("The database's disk is full.")
    if state in _LOST_A_RACE or words.startswith(_LOST_A_RACE_IN_SQLITE):
        return StaleVersion("Somebody else wrote first.")
    if isinstance(error, exc.DataError) or state[:2] == _DATA_CLASS:
        return InvalidInput("A value can't be stored in the database.")
    unavailable = (
        error.connection_invalidated
        or state in _OTHER_SCHEMA
        or state[:2] in _UNAVAILABLE_CLASSES
        or isinstance(error, exc.OperationalError | exc.InterfaceError)
    )
    return StoreUnavailable(f"The database does not answer as it should: {words}") if unavailable else None


def _told(error: BaseException) -> str:
    return str(error) or type(error).__name__
