"""Recognising columns."""

import pytest

from conv4rec.config import DataConfig
from conv4rec.data.columns import assign_columns, is_header
from conv4rec.errors import DataError

PLAIN = DataConfig()


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["user", "item"], {"user": "user", "item": "item"}),
        (["userId", "movieId"], {"user": "userId", "item": "movieId"}),
        (["User-ID", "ISBN", "Book-Rating"], {"user": "User-ID", "item": "ISBN", "rating": "Book-Rating"}),
        (["user_id:token", "item_id:token", "rating:float"], {"user": "user_id:token", "item": "item_id:token"}),
        (["reviewerID", "asin", "overall", "unixReviewTime"], {"rating": "overall", "timestamp": "unixReviewTime"}),
        (["visitorid", "itemid", "event", "timestamp"], {"type": "event", "timestamp": "timestamp"}),
    ],
)
def test_usual_names(names: list[str], roles: dict[str, str]) -> None:
    found = assign_columns(names, PLAIN, "x")
    assert roles.items() <= {str(role): name for role, name in found.items()}.items()


def test_the_likelier_name_wins() -> None:
    assert assign_columns(["u", "user_id", "item", "date", "timestamp"], PLAIN, "x") == {
        "user": "user_id",
        "item": "item",
        "timestamp": "timestamp",
    }


def test_columns_that_cannot_be() -> None:
    with pytest.raises(DataError, match="x: no user column; found a, item; name it with data.user=<column>"):
        assign_columns(["a", "item"], PLAIN, "x")
    with pytest.raises(DataError, match=r"x: no column 'who' \(data.user\); found user, item"):
        assign_columns(["user", "item"], DataConfig(user="who"), "x")
    with pytest.raises(DataError, match="x: column 'a' cannot be both the user and the item"):
        assign_columns(["a", "b"], DataConfig(user="a", item="a"), "x")


def test_headers() -> None:
    assert is_header(["userId", "movieId"], PLAIN, "x")
    assert is_header(["who", "what"], DataConfig(user="who"), "x")
    assert not is_header(["u", "i", "5"], PLAIN, "x")
    assert not is_header(["alice", "film", "4.5", "2020-01-01"], PLAIN, "x")
    assert is_header(["a", "b"], DataConfig(header=True), "x")
    assert not is_header(["user", "item"], DataConfig(header=False), "x")
