"""Every error this package raises, each also the natural built-in one.

The text of an error is one line: what is wrong, the value met, what was expected, and where.
"""


class Conv4RecError(Exception):
    """The root of every error raised on purpose by this package."""


class DataError(Conv4RecError, ValueError):
    """Ratings, a side table or a split that cannot be used as given."""


class DatasetNotFoundError(Conv4RecError, FileNotFoundError):
    """A named data set that is neither on this machine nor could be downloaded."""

    def __str__(self) -> str:
        return str(self.args[0])


class ConfigError(Conv4RecError, ValueError):
    """A setting that does not exist or has a value it cannot take."""


class UnknownIdError(Conv4RecError, LookupError):
    """A user or an item that the model has never seen."""


class QueryError(Conv4RecError, ValueError):
    """A request to a fitted model that has no answer (k = 0, an unknown ranking, ...)."""


class NotFittedError(Conv4RecError, RuntimeError):
    """A model that was asked for something before `fit` or `load`."""


class TrainingError(Conv4RecError, ArithmeticError):
    """Training that cannot go on: the loss is not a number, or a checkpoint does not fit."""


class TheoryError(Conv4RecError, ArithmeticError):
    """A bound or a set that cannot be computed: weights are not finite, or what it takes is not there."""


class ModelFileError(Conv4RecError, ValueError):
    """A file that is not a conv4rec model, is damaged, or comes from a newer version."""


class SaveError(Conv4RecError, OSError):
    """A file that could not be written; nothing half-written is left behind."""

    def __str__(self) -> str:
        return str(self.args[0])


class StoreError(Conv4RecError, OSError):
    """The database of the service, which cannot be read or written at the moment."""

    def __str__(self) -> str:
        return str(self.args[0])


class ServiceError(Conv4RecError, RuntimeError):
    """What a service answered to its client, where that is no success.

    Attributes:
        status: of HTTP; None: there was no answer.
        field: the part of the request that is at fault, None where it is no part.
        request_id: what the logs of the service call the request, None where it gave none.
    """

    def __init__(
        self, reason: str, *, status: int | None = None, field: str | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.field, self.request_id = status, field, request_id


class MissingExtraError(Conv4RecError, ImportError):
    """A feature whose optional dependency is not installed."""


class PeerError(Conv4RecError, RuntimeError):
    """A model of others, in a comparison, that failed or gave what is no score."""
