"""What a page asks before it asks the model: users, items and records by text."""

from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import polars as pl
import pytest

from conv4rec.errors import DataError
from conv4rec.ids import Ids
from conv4rec.service.app import create_app
from conv4rec.service.index import Index
from conv4rec.service.settings import make_settings
from conv4rec.vocabulary import InteractionTypes, Vocabulary
from tests.made_records import make_run
from tests.service.servers import Server, served


def ids(ask: httpx.Client, path: str) -> list[int | str]:
    """The ids that are found."""
    told = ask.get(f"/v1/{path}")
    assert told.status_code == 200, told.text
    [rows] = [value for value in told.json().values() if isinstance(value, list)]
    return [row.get("user_id", row.get("item_id")) for row in rows]


@pytest.fixture
def index() -> Index:
    users = Ids.fit(pl.Series([1, 12, 2, 112, 13]), kind="user")
    items = Ids.fit(pl.Series(["a", "b", "c"]), kind="item")
    vocabulary = Vocabulary(users, items, InteractionTypes.of([1, 2]))
    return Index.of(vocabulary, {"a": "The Star", "b": "Star Wars: War of Stars"}, [5, 6, 7, 8, 9])


def test_the_user_of_that_very_id_comes_first(index: Index) -> None:
    assert [row["user_id"] for row in index.users("1", 10)] == [1, 12, 13, 112]
    assert index.users(" 1", 1) == [{"user_id": 1, "n_interactions": 5}]
    assert index.users("3", 10) == []


def test_titles_hold_all_words(index: Index) -> None:
    assert [row["item_id"] for row in index.items("STAR", 10)] == ["b", "a"]
    assert [row["item_id"] for row in index.items("war star", 10)] == ["b"]
    assert index.items("c", 10)[-1] == {"item_id": "c", "title": None}
    assert [row["item_id"] for row in index.items("", 2)] == ["c", "a"]


def test_users_and_items_by_text(ask: httpx.Client) -> None:
    assert ids(ask, "users?prefix=11&k=3") == [110, 111, 112]
    assert ids(ask, "items?query=item%207") == ["i07", "i17"]  # the title of the second is Item 17
    assert len(ids(ask, "users")) == 10
    assert ask.get("/v1/users?k=0").status_code == 422
    assert ask.get("/v1/items", params={"query": "x" * 257}).json()["error"]["field"] == "query"


def test_erased_users_are_not_found(ask: httpx.Client) -> None:
    assert 110 in ids(ask, "users?prefix=11")
    ask.delete("/v1/users/110")
    assert 110 not in ids(ask, "users?prefix=11")


def test_a_model_tells_what_may_stand_in_a_history(ask: httpx.Client) -> None:
    told = ask.get("/v1/models").json()
    assert told["has_histories"] is True
    assert told["interaction_types"][0] == {"type": None, "rating": 1.0}


def test_records_are_told_where_there_are_any(ask: httpx.Client, models: Path, store: str, tmp_path: Path) -> None:
    assert ask.get("/v1/records").json() == {"folder": None, "records": []}
    run = make_run(tmp_path / "run", models=("conv4rec", "ease"))
    with served(make_settings(models=(models,), store=store, records=run)) as other:
        told = other.get("/v1/records").json()
        assert told["folder"] == "run"
        by_model = {row["model"]: row for row in told["records"]}
        assert by_model["conv4rec"]["reliability_like"][0].keys() == {"predicted", "observed", "weight"}
        assert by_model["ease"]["metrics"]["ndcg@20"] > 0
        assert [row["model"] for row in told["records"] if row["error"] is not None] != []
        for file in (run / "records").iterdir():
            file.unlink()
        answer = other.get("/v1/records")
        assert (answer.status_code, answer.json()["error"]["reason"][-60:]) == (
            503,
            f"{run}: no records there; expected files written by `conv4rec compare` or `evaluate --run`"[-60:],
        )


def test_a_folder_without_records_is_refused_at_the_start(models: Path, store: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no records there"):
        create_app(make_settings(models=(models,), store=store, records=tmp_path))


def test_the_command_line_takes_records(
    launch: Callable[[Sequence[str | Path]], Server], models: Path, tmp_path: Path
) -> None:
    server = launch([models, "--records", make_run(tmp_path / "run", models=("ease",))])
    server.wait()
    assert httpx.get(f"{server.url}/v1/records").json()["folder"] == "run"
    assert "/ is the page" in server.log.read_text()
