"""Which items' rows of the tables a process holds: all of them, or its part, where several share the tables.

`AllItems` is one process by itself, or each of several that have the tables whole; `own_items.py` is the rest.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from conv4rec.model.batch import Batch

ITEM_TABLES = (
    "consumption.encoder.table",
    "consumption.decoder",
    "consumption.bias",
    "rating.encoder.table",
    "rating.decoder",
    "rating.bias",
)
"""Parameters of a network that have a row an item."""


class Held(Protocol):
    """What the network asks of those who hold the rows of the items."""

    def n_items(self, n_held: int) -> int:
        """The items of the catalogue, where the tables here have `n_held` rows."""
        ...

    def where(self, items: Tensor) -> slice | Tensor:
        """An index to those of (N,) items that are held here."""
        ...

    def own(self, batch: Batch) -> Batch:
        """The interactions with items held here, as rows of the tables; the users stay."""
        ...

    def shift(self, items: Tensor) -> Tensor:
        """Rows of items in the tables here; for those that are not held here a number that is no row."""
        ...

    def enter(self, value: Tensor) -> Tensor:
        """What is alike in all processes, on its way into what each makes of its items: gradients are added up."""
        ...

    def add_up(self, value: Tensor) -> Tensor:
        """The sum over all processes of what each made of its items, alike in all of them."""
        ...

    def log_add_up(self, value: Tensor) -> Tensor:
        """The logarithm of the sum of exponentials over all processes; -inf where a process has no item."""
        ...

    def put(self, values: Tensor, items: Tensor) -> Tensor:
        """(N, ...) what all processes made of N items, each of those at `where(items)`."""
        ...

    def join(self, block: Tensor) -> Tensor:
        """(B, I, ...) of all items from the (B, I held, ...) of each process."""
        ...


@dataclass(frozen=True)
class AllItems:
    """One process, or each of several, has all rows."""

    def n_items(self, n_held: int) -> int:
        return n_held

    def where(self, items: Tensor) -> slice | Tensor:  # noqa: ARG002
        return slice(None)

    def own(self, batch: Batch) -> Batch:
        return batch

    def shift(self, items: Tensor) -> Tensor:
        return items

    def enter(self, value: Tensor) -> Tensor:
        return value

    def add_up(self, value: Tensor) -> Tensor:
        return value

    def log_add_up(self, value: Tensor) -> Tensor:
        return value

    def put(self, values: Tensor, items: Tensor) -> Tensor:  # noqa: ARG002
        return values

    def join(self, block: Tensor) -> Tensor:
        return block


ALL = AllItems()
