"""Where optuna keeps its studies, and which of their trials have lost their process."""

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from conv4rec.errors import MissingExtraError, QueryError

if TYPE_CHECKING:
    import optuna

Direction = Literal["maximize", "minimize"]


def open_study(storage: str | None, name: str, direction: Direction) -> "optuna.Study":
    """Make a study, or go on with the one of this name.

    `storage` is a URL of optuna's, or the path of an SQLite file; None keeps the study in memory. Raises QueryError
    where no study can be kept there, and MissingExtraError without optuna.
    """
    try:
        import optuna
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError:
        raise MissingExtraError("a search needs optuna: pip install 'conv4rec[tune]'") from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it tells of every study on standard error
    try:
        url = None if storage is None else _url(storage)
        return optuna.create_study(storage=url, study_name=name, direction=direction, load_if_exists=True)
    except (SQLAlchemyError, ImportError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise QueryError(f"{_without_password(storage)}: no studies can be kept there: {reason}") from None
    finally:
        optuna.logging.set_verbosity(before)


def owner() -> str:
    """This process, as a trial names the one that it runs in."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(owner: str) -> bool:
    """Whether the process of a trial is known to be no more; of another machine nothing is known."""
    host, _, process = owner.rpartition(":")
    return host in ("", socket.gethostname()) and not _runs(int(process) if process else None)


def _runs(process: int | None) -> bool:
    if process is None or os.name != "posix":
        return False
    try:
        os.kill(process, 0)  # asks, and sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _url(storage: str) -> str:
    if "://" in storage:
        return storage
    path = Path(storage).absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{path}"


def _without_password(storage: str | None) -> str:
    scheme, separator, rest = str(storage).partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else scheme
