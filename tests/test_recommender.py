"""Conv4Rec: ids in, ids out."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from conv4rec.config import Config, make_config
from conv4rec.data.interactions import Interactions
from conv4rec.data.ratings import Ratings
from conv4rec.errors import (
    ConfigError,
    Conv4RecError,
    DataError,
    ModelFileError,
    NotFittedError,
    QueryError,
    UnknownIdError,
)
from conv4rec.history import UnknownItemsWarning, read_history
from conv4rec.model.predictor import NetworkPredictor
from conv4rec.predictions import Predictions
from conv4rec.queries import Query, QueryEngine
from conv4rec.recommender import Conv4Rec
from conv4rec.vocabulary import InteractionTypes

EVEN = {"i00": 5.0, "i02": 5.0, "i20": 2.0}
"""A history of somebody of the even colour."""


def numbers(table: pl.DataFrame) -> pl.DataFrame:
    return table.select(pl.selectors.numeric())


def test_the_result_table(fitted: Conv4Rec) -> None:
    table = fitted.recommend([100, 101], k=3)
    assert table.columns == [
        "user_id",
        "item_id",
        "rank",
        "score",
        "p_consume",
        *(f"p_rating_{value}" for value in range(1, 6)),
        "expected_rating",
        "p_like",
        "title",
    ]
    assert table["user_id"].to_list() == [100] * 3 + [101] * 3
    assert table["rank"].to_list() == [1, 2, 3] * 2
    ratings = table.select(pl.col(r"^p_rating_\d$")).to_numpy()
    assert ratings.sum(1) == pytest.approx(1, abs=1e-5)
    assert ratings @ np.arange(1, 6) == pytest.approx(table["expected_rating"].to_numpy(), abs=1e-4)
    assert ratings[:, 3:].sum(1) == pytest.approx(table["p_like"].to_numpy(), abs=1e-5)
    assert np.log(table["p_consume"].to_numpy()) == pytest.approx(table["score"].to_numpy(), abs=1e-4)
    assert table["title"].to_list() == [f"Item {int(item[1:])}" for item in table["item_id"]]


def test_recommendations_have_the_users_colour_and_are_new(fitted: Conv4Rec, checkerboard: Ratings) -> None:
    for user in (100, 101, 130):
        table = fitted.recommend([user], k=2)
        seen = set(checkerboard.frame.filter(pl.col("user_id") == user)["item_id"])
        assert not seen & set(table["item_id"])
        n_left = 12 - len(seen)
        assert all(int(item[1:]) % 2 == user % 2 for item in table["item_id"][: min(2, n_left)])


def test_somebody_new_is_understood_from_a_history(fitted: Conv4Rec) -> None:
    table = fitted.recommend_for(EVEN, k=9)
    assert all(int(item[1:]) % 2 == 0 for item in table["item_id"])
    assert not set(EVEN) & set(table["item_id"])
    low = table["item_id"].str.slice(1).cast(pl.Int64) < 12
    assert table.filter(low)["expected_rating"].min() > 4  # type: ignore[operator]
    assert table.filter(~low)["expected_rating"].max() < 3  # type: ignore[operator]


def test_a_known_user_and_their_history_posted_get_one_answer(fitted: Conv4Rec, checkerboard: Ratings) -> None:
    history = checkerboard.frame.filter(pl.col("user_id") == 107)
    posted = fitted.recommend_for(dict(history.select("item_id", "rating").iter_rows()), k=5)
    known = fitted.recommend([107], k=5)
    assert posted["item_id"].to_list() == known["item_id"].to_list()
    assert_frame_equal(numbers(posted.drop("user_id")), numbers(known.drop("user_id")), abs_tol=1e-5)


def test_histories_in_every_form_are_the_same(fitted: Conv4Rec) -> None:
    rated = pl.DataFrame({"item_id": list(EVEN), "rating": list(EVEN.values())})
    several = rated.with_columns(user_id=pl.lit("me"))
    expected = fitted.recommend_for(EVEN, k=5)
    for history in (rated, rated.to_pandas(), rated.to_arrow()):
        assert_frame_equal(fitted.recommend_for(history, k=5), expected)
    assert set(fitted.recommend_for(several, k=5)["user_id"]) == {"me"}
    unrated = fitted.recommend_for(list(EVEN), k=5)
    assert_frame_equal(unrated, fitted.recommend_for(dict.fromkeys(EVEN), k=5))
    assert_frame_equal(unrated, fitted.recommend_for(np.array(list(EVEN)), k=5))


def test_several_new_users_at_once(fitted: Conv4Rec) -> None:
    frame = pd.DataFrame({"user_id": ["b", "a", "b"], "item_id": ["i00", "i01", "i02"], "rating": [5.0, 5.0, None]})
    table = fitted.recommend_for(frame, k=2)
    assert table["user_id"].to_list() == ["b", "b", "a", "a"]
    alone = fitted.recommend_for({"i01": 5.0}, k=2)
    assert table["item_id"].to_list()[2:] == alone["item_id"].to_list()


def test_unknown_items_of_a_history_are_told(fitted: Conv4Rec) -> None:
    with pytest.warns(UnknownItemsWarning, match="1 of 4 items of the history are not known .* left out: 'new'"):
        table = fitted.recommend_for(EVEN | {"new": 5.0}, k=5)
    assert_frame_equal(table, fitted.recommend_for(EVEN, k=5))


@pytest.mark.parametrize("rank_by", ["consume", "rating", "enjoy"])
def test_every_order_is_by_its_score(fitted: Conv4Rec, rank_by: str) -> None:
    table = fitted.recommend([104], k=10, rank_by=rank_by, exclude_seen=False)
    expected = {
        "consume": table["p_consume"].log(),
        "rating": table["expected_rating"],
        "enjoy": (table["p_consume"] * table["p_like"]).log(),
    }[rank_by]
    assert table["score"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-3)
    assert table["score"].is_sorted(descending=True)


def test_candidates_are_the_only_items_allowed(fitted: Conv4Rec) -> None:
    table = fitted.recommend([101], k=3, candidates=["i02", "i04"], exclude_seen=False)
    assert sorted(table["item_id"]) == ["i02", "i04"]


def test_a_list_that_runs_out_is_shorter(fitted: Conv4Rec, checkerboard: Ratings) -> None:
    seen = checkerboard.frame.filter(pl.col("user_id") == 103).height
    assert fitted.recommend([103], k=24).height == 24 - seen
    everything = fitted.recommend_for([f"i{i:02d}" for i in range(24)], k=5)
    assert everything.height == 0
    assert "p_rating_5" in everything.columns


def test_predict_answers_in_the_order_asked(fitted: Conv4Rec) -> None:
    pairs = [(101, "i01"), (100, "i01"), (101, "i13"), (101, "i01")]
    table = fitted.predict(pairs)
    assert list(table.select("user_id", "item_id").iter_rows()) == pairs
    assert table["expected_rating"][0] > 4 > 3 > table["expected_rating"][2]
    assert_frame_equal(table[:1], table[3:])
    frame = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row")
    assert_frame_equal(fitted.predict(frame), table)
    assert_frame_equal(fitted.predict(frame.to_pandas()), table)


def test_predict_and_recommend_say_the_same(fitted: Conv4Rec) -> None:
    ranked = fitted.recommend([100, 133], k=4)
    again = fitted.predict(ranked.select("user_id", "item_id"))
    assert_frame_equal(again.select(again.columns), ranked.select(again.columns), abs_tol=1e-6)


def test_the_size_of_the_batch_does_not_matter(fitted: Conv4Rec, monkeypatch: pytest.MonkeyPatch) -> None:
    users = fitted.vocabulary.users.values
    pairs = pl.DataFrame({"user_id": users.reverse(), "item_id": ["i05"] * len(users)})
    expected = fitted.recommend(users, k=4, rank_by="enjoy"), fitted.predict(pairs)
    monkeypatch.setattr(QueryEngine, "_scored_at_once", lambda self: 7)
    got = fitted.recommend(users, k=4, rank_by="enjoy"), fitted.predict(pairs)
    for a, b in zip(got, expected, strict=True):
        assert_frame_equal(a, b, abs_tol=1e-6)


def test_a_saved_model_is_the_model(fitted: Conv4Rec, tmp_path: Path) -> None:
    loaded = Conv4Rec.load(fitted.save(tmp_path / "m"))
    users = fitted.vocabulary.users.values
    assert_frame_equal(loaded.recommend(users, k=5), fitted.recommend(users, k=5))
    assert_frame_equal(loaded.recommend_for(EVEN, k=5), fitted.recommend_for(EVEN, k=5))
    assert loaded.config == fitted.config
    assert loaded.origin == fitted.origin
    assert_frame_equal(loaded.history_of(105), fitted.history_of(105))
    assert loaded.save(tmp_path / "again").read_bytes() == (tmp_path / "m").read_bytes()


def test_a_model_without_histories_answers_only_new_users(fitted: Conv4Rec, tmp_path: Path) -> None:
    loaded = Conv4Rec.load(fitted.save(tmp_path / "m", histories=False))
    assert loaded.recommend_for(EVEN, k=3).height == 3
    with pytest.raises(QueryError, match="saved without histories: use recommend_for"):
        loaded.recommend([100], k=3)


def test_weights_that_do_not_fit_the_settings(fitted: Conv4Rec, tmp_path: Path) -> None:
    other = Conv4Rec(make_config({"model": {"embedding_dim": 3}}))
    other._state = fitted._state
    with pytest.raises(ModelFileError, match="the weights do not fit the settings of the model: .*size mismatch"):
        Conv4Rec.load(other.save(tmp_path / "m"))


def test_neighbours_that_are_not_there(fitted: Conv4Rec, tmp_path: Path) -> None:
    other = Conv4Rec.load(fitted.save(tmp_path / "m"))
    experts = other.predictor.network.consumption_experts
    assert experts is not None
    experts.explained.items[3, 0] = -1
    with pytest.raises(ModelFileError, match="the weights do not fit the settings .*: a neighbour is not one of 24"):
        Conv4Rec.load(other.save(tmp_path / "m"))


def test_history_of_a_user(fitted: Conv4Rec, checkerboard: Ratings) -> None:
    table = fitted.history_of(100)
    assert table.columns == ["item_id", "rating", "type", "title"]
    expected = checkerboard.frame.filter(pl.col("user_id") == 100)
    assert_frame_equal(table.select("item_id", "rating").sort("item_id"), expected.select("item_id", "rating"))


EMPTY: dict[int | str, float | None] = {}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.recommend([100], k=0), QueryError, "k = 0: expected 1 to 24, the number of items"),
        (lambda m: m.recommend([100], k=25), QueryError, "k = 25: expected 1 to 24"),
        (lambda m: m.recommend([100], k=True), QueryError, "k = True: expected 1 to 24"),
        (lambda m: m.recommend([100], k=2.5), QueryError, r"k = 2\.5: expected 1 to 24"),
        (lambda m: m.recommend([7]), UnknownIdError, "user 7 not known to this model, which has 60 users"),
        (lambda m: m.recommend(["x"]), DataError, "user ids are integers here; got 'x'"),
        (lambda m: m.recommend([100, "x"]), DataError, "user ids must be all integers or all strings"),
        (lambda m: m.recommend(100), QueryError, r"expected a list of ids, got the single id 100; write \[100\]"),
        (lambda m: m.recommend([100], rank_by="luck"), QueryError, "rank_by 'luck': expected one of consume, rating"),
        (lambda m: m.recommend([100], candidates=["zz"]), UnknownIdError, "item 'zz' not known"),
        (lambda m: m.recommend([100], like=9), QueryError, "like = 9: expected at most 5, the highest rating"),
        (lambda m: m.predict([(100, "zz")]), UnknownIdError, "item 'zz' not known"),
        (lambda m: m.predict([(7, "i00")]), UnknownIdError, "user 7 not known"),
        (lambda m: m.predict(pl.DataFrame({"user": [1]})), DataError, "no column item_id and user_id; found user"),
        (lambda m: m.recommend_for({"q": 5.0, "r": 1.0}), QueryError, "none of the 2 items of the history is known"),
        (lambda m: m.recommend_for(EMPTY), QueryError, "the history is empty: expected at least one item"),
        (lambda m: m.recommend_for(pl.DataFrame({"item_id": []})), QueryError, "the history is empty"),
        (lambda m: m.recommend_for({"i00": 7.0}), DataError, "rating 7 is none of the interaction types 1, 2, 3, 4, 5"),
        (lambda m: m.recommend_for({"i00": "x"}), DataError, "history: a rating is not a number"),
        (lambda m: m.recommend_for({"i00": 5.0, 3: 1.0}), DataError, "item ids must be all integers or all strings"),
        (lambda m: m.recommend_for(pd.DataFrame({"item_id": ["i00", 3]})), DataError, "history: .*one type each"),
        (lambda m: m.predict([(100, "i00"), ("x", "i00")]), DataError, "user ids must be all integers or all strings"),
        (
            lambda m: m.recommend_for(pl.DataFrame({"item_id": ["i00"], "rating": ["good"]})),
            DataError,
            "history: column rating is String; expected numbers",
        ),
        (lambda m: m.recommend_for([3]), DataError, "item ids are strings here; got 3"),
        (
            lambda m: m.recommend_for(pl.DataFrame({"x": [1]})),
            DataError,
            "history: column item_id is missing; it has x",
        ),
    ],
)
def test_a_request_without_an_answer(fitted: Conv4Rec, call: Any, error: type[Conv4RecError], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        call(fitted)
    assert "\n" not in str(caught.value)


def test_a_model_that_is_not_fitted() -> None:
    calls: list[Callable[[Conv4Rec], object]] = [
        lambda m: m.recommend([1]),
        lambda m: m.recommend_for([1]),
        lambda m: m.save("x"),
        lambda m: m.predict([]),
    ]
    for call in calls:
        with pytest.raises(NotFittedError, match=r"not fitted: call fit\(ratings\), or Conv4Rec.load\(path\)"):
            call(Conv4Rec())


def test_a_loaded_model_knows_no_epochs(fitted: Conv4Rec, tmp_path: Path) -> None:
    assert fitted.training.best_epoch == fitted.origin.best_epoch
    with pytest.raises(NotFittedError, match="a loaded model does not know the epochs of its training"):
        _ = Conv4Rec.load(fitted.save(tmp_path / "m")).training


def test_settings_are_checked_when_given() -> None:
    with pytest.raises(ConfigError, match="setting train.epoch does not exist; `conv4rec config` prints those that do"):
        Conv4Rec(train={"epoch": 3})
    with pytest.raises(QueryError, match="give a Config or sections, not both; got a Config and train"):
        Conv4Rec(Config(), train={"epochs": 3})


@pytest.mark.parametrize(("column", "what"), [("user_id", "user"), ("item_id", "item")])
def test_one_user_or_one_item_is_nothing_to_learn_from(column: str, what: str) -> None:
    frame = pl.DataFrame({"user_id": range(20), "item_id": range(20)}).with_columns(pl.lit(1, pl.Int64).alias(column))
    ratings = Ratings(frame, InteractionTypes.of((), rated=(), unrated=(None,)), name="r.csv")
    with pytest.raises(DataError, match=f"r.csv: 1 {what}: expected at least 2 to learn from"):
        Conv4Rec().fit(ratings)


def make_shop() -> Ratings:
    """View, cart and purchase, the last with ratings in part; two groups of users and items."""
    rng = np.random.default_rng(0)
    rows: list[tuple[str, int, str, float | None]] = []
    for user in range(40):
        for item in rng.choice(np.arange(user % 2, 20, 2), size=6, replace=False):
            rows.append((f"u{user}", int(item), "view", None))
            if item < 10:
                rows.append((f"u{user}", int(item), "purchase", 5.0 if user % 3 else None))
    frame = pl.DataFrame(rows, schema=["user_id", "item_id", "type", "rating"], orient="row")
    types = InteractionTypes.of([1, 5], rated=["purchase"], unrated=["view"])
    return Ratings(frame.with_columns(pl.col("rating").cast(pl.Float64)), types, name="shop")


def test_named_types_with_and_without_ratings(small_config: Config) -> None:
    model = Conv4Rec(small_config).fit(make_shop())
    table = model.recommend_for(
        pl.DataFrame({"item_id": [0, 2], "type": ["view", "purchase"], "rating": [None, 5.0]}), k=7
    )
    assert all(item % 2 == 0 for item in table["item_id"])
    named = ["p_type_purchase:1", "p_type_purchase:5", "p_type_view"]
    assert [c for c in table.columns if c.startswith("p_type_")] == named
    assert table.select(named).sum_horizontal().to_numpy() == pytest.approx(1, abs=1e-5)
    bought = table.filter(pl.col("item_id") < 10)
    looked_at = table.filter(pl.col("item_id") >= 10)
    assert bought["p_type_view"].max() < 0.75 < 0.85 < looked_at["p_type_view"].min()  # type: ignore[operator]
    assert bought["expected_rating"].min() > 4  # type: ignore[operator]


def test_implicit_feedback_alone(small_config: Config, checkerboard: Ratings) -> None:
    events = InteractionTypes.of((), rated=(), unrated=(None,))
    ratings = Ratings(checkerboard.frame.drop("rating"), events, name="clicks")
    model = Conv4Rec(small_config).fit(ratings)
    table = model.recommend_for(["i00", "i04", "i08"], k=5)
    assert table.columns == ["user_id", "item_id", "rank", "score", "p_consume"]
    assert all(int(item[1:]) % 2 == 0 for item in table["item_id"])
    with pytest.raises(QueryError, match="rank_by 'rating' needs ratings, and this model was trained without"):
        model.recommend_for(["i00"], k=5, rank_by="rating")
    assert model.predict([(100, "i00")]).columns == ["user_id", "item_id", "p_consume"]


def test_any_source_gives_the_same_model(small_config: Config, checkerboard: Ratings, tmp_path: Path) -> None:
    config = small_config.model_copy(update={"train": small_config.train.model_copy(update={"epochs": 2})})
    checkerboard.frame.write_csv(tmp_path / "ratings.csv")
    sources = [
        checkerboard.frame,
        checkerboard.frame.to_pandas(),
        checkerboard.frame.to_arrow(),
        tmp_path / "ratings.csv",
    ]
    answers = [Conv4Rec(config).fit(source).recommend([100, 101], k=5) for source in sources]
    for answer in answers[1:]:
        assert_frame_equal(answer, answers[0])


def test_scoring_keeps_to_its_memory_however_many_users(fitted: Conv4Rec, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    predict = NetworkPredictor.predict

    def measured(self: NetworkPredictor, histories: Interactions) -> Predictions:
        sizes.append(histories.n_users)
        return predict(self, histories)

    monkeypatch.setattr(NetworkPredictor, "predict", measured)
    n_users, n_items, n_types = 100_000, 24, 5
    many = pl.DataFrame({"user_id": range(n_users), "item_id": ["i00"] * n_users})
    engine = dataclasses.replace(fitted._answers.engine, memory_mb=8)
    names, histories = read_history(many, fitted.vocabulary)
    assert engine.rank(names, histories, Query(k=1, rank_by="enjoy")).height == n_users
    assert sum(sizes) == n_users
    assert max(sizes) * 4 * n_items * (10 + 4 * n_types) <= 8 * 2**20
