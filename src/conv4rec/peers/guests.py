"""How code of others is run: quiet, seeded, on as many threads as we use, and with one kind of error."""

import contextlib
import io
import warnings
from collections.abc import Iterator

import torch

from conv4rec.errors import Conv4RecError, MissingExtraError, PeerError


@contextlib.contextmanager
def guest(peer: str, package: str) -> Iterator[None]:
    """What is inside belongs to another package, from its import on.

    Nothing is printed or warned of. BLAS has one thread, because packages that are parallel over users slow down by
    much otherwise, and torch gets its threads and its random numbers back afterwards.

    Raises:
        MissingExtraError: the package is not installed, or cannot be imported.
        PeerError: anything else that went wrong, in one line.
    """
    n_threads = torch.get_num_threads()
    try:
        with _quiet(), _one_blas_thread(), torch.random.fork_rng([]):
            yield
    except (Conv4RecError, KeyboardInterrupt, SystemExit):
        raise
    except ImportError as error:
        raise MissingExtraError(
            f"{peer} needs {package}, which cannot be imported ({error}): pip install 'conv4rec[peers]'"
        ) from error
    except BaseException as error:  # a panic in Rust is no Exception
        lines = str(error).splitlines() or ["no reason given"]
        raise PeerError(f"{peer}: {package} failed: {type(error).__name__}: {lines[0]}") from error
    finally:
        torch.set_num_threads(n_threads)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield
