"""From scores to a fitted peer, with fakes: what is learned from what, placeholders, and names of types."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from conv4rec.data.interactions import Interactions
from conv4rec.errors import DataError, PeerError
from conv4rec.evaluation import evaluate_by_user
from conv4rec.peers.fitting import Ranking, Rating, Scorer, UniformLaw, fit_ranking, fit_rating
from conv4rec.peers.links import ConsumeLink
from conv4rec.peers.rating_link import RatingLink
from conv4rec.predictions import Floats
from tests.peers.tasks import CLICKS, N_ITEMS, N_USERS, SHOP, STARS, ByHistory, make, make_task, while_searching
from tests.predictor_contract import PredictorContract, some_histories


@dataclass(frozen=True)
class Table:
    """Scores looked up by user."""

    values: Floats
    n_bytes: int = 100

    def scores(self, users: NDArray[np.intp], histories: Interactions) -> Floats:
        assert len(users) == histories.n_users
        return self.values[users]


@dataclass
class Teacher:
    """Counts what it was asked to learn from."""

    scorer: Scorer
    asked: list[Interactions] = field(default_factory=list)

    def __call__(self, interactions: Interactions) -> Scorer:
        self.asked.append(interactions)
        return self.scorer


def random_table(low: float = 0.0, high: float = 1.0) -> Table:
    return Table(np.random.default_rng(0).uniform(low, high, (N_USERS, N_ITEMS)))


class TestRanking(PredictorContract):
    """The contract holds for a model of consumption, its placeholder included."""

    @pytest.fixture(params=[STARS, SHOP, CLICKS], ids=["stars", "shop", "clicks"])
    def predictor(self, request: pytest.FixtureRequest) -> ByHistory:
        task = make_task(request.param)
        return ByHistory(fit_ranking("fake", task, lambda known: ByItem(known)), request.param)

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


class TestRating(PredictorContract):
    """The contract holds for a model of ratings, its placeholder included."""

    @pytest.fixture(params=[STARS, SHOP], ids=["stars", "shop"])
    def predictor(self, request: pytest.FixtureRequest) -> ByHistory:
        task = make_task(request.param)
        return ByHistory(fit_rating("fake", task, lambda known: ByItem(known)), request.param)

    @pytest.fixture
    def histories(self, predictor: ByHistory) -> Interactions:
        return some_histories(predictor.types, N_ITEMS)


@dataclass(frozen=True)
class ByItem:
    """The score of an item is its share of the users, and that of a user the length of their history."""

    known: Interactions
    n_bytes: int = 0

    def scores(self, users: NDArray[np.intp], histories: Interactions) -> Floats:  # noqa: ARG002
        popularity = np.bincount(self.known.items, minlength=N_ITEMS) / N_USERS
        return np.asarray(3 * popularity + histories.counts[:, None] / N_ITEMS)


@pytest.mark.parametrize("fit", [fit_ranking, fit_rating])
def test_what_takes_histories_learns_from_train_alone(fit: type) -> None:
    task, teacher = make_task(STARS), Teacher(random_table(1, 5))
    fit("fake", task, teacher)
    assert [known is task.train for known in teacher.asked] == [True]


@pytest.mark.parametrize("fit", [fit_ranking, fit_rating])
def test_parameters_of_users_are_learned_again_from_all_that_is_known(fit: type) -> None:
    task, teacher = make_task(STARS), Teacher(random_table(1, 5))
    fit("fake", task, teacher, again=True)
    assert teacher.asked[0] is task.train
    assert [known is task.known for known in teacher.asked] == [False, True]


@pytest.mark.parametrize("fit", [fit_ranking, fit_rating])
def test_nothing_is_learned_again_where_nothing_more_is_known(fit: type) -> None:
    task, teacher = while_searching(make_task(STARS)), Teacher(random_table(1, 5))
    fit("fake", task, teacher, again=True)
    fit("fake", replace(task, known=task.train.select(np.arange(N_USERS))), teacher, again=True)
    assert len(teacher.asked) == 2


def test_the_link_is_that_of_the_model_fitted_on_train() -> None:
    """The model learned again must not see validation through its own link."""
    task = make_task(CLICKS)
    first, second = random_table(), Table(np.zeros((N_USERS, N_ITEMS)))
    models = iter([first, second])
    again = fit_ranking("fake", task, lambda _: next(models), again=True)
    once = fit_ranking("fake", task, lambda _: first)
    assert again.scorer is second
    assert again.link.values == pytest.approx(once.link.values)


def test_the_order_is_that_of_the_scores() -> None:
    task, table = make_task(CLICKS), random_table()
    users = np.array([3, 0, 7])
    nothing = some_histories(CLICKS, N_ITEMS).select(np.zeros(3, dtype=int))
    log_p = fit_ranking("fake", task, lambda _: table).predict(users, nothing).log_p_consume
    assert (np.argsort(log_p, axis=1) == np.argsort(table.values[users], axis=1)).all()


def test_expected_ratings_are_those_of_the_model_within_the_scale() -> None:
    task, table = make_task(STARS), random_table(-1.0, 8.0)
    fitted = fit_rating("fake", task, lambda _: table)
    rows, items = np.divmod(np.arange(N_USERS * N_ITEMS), N_ITEMS)
    found = fitted.predict(np.arange(N_USERS), task.train).expected_rating(rows, items)
    assert found == pytest.approx(table.values.ravel().clip(1, 5), abs=0.05)
    inside = (found > 1.05) & (found < 4.95)
    assert found[inside] == pytest.approx(table.values.ravel()[inside], abs=1e-6)


def test_the_name_of_a_type_has_its_share_and_the_rating_its_law() -> None:
    # channels: purchase:1, purchase:2, purchase:3, view | purchase of unknown rating
    task = make_task(SHOP)
    table = random_table(1, 3)
    fitted = fit_rating("fake", task, lambda _: table)
    p = np.exp(fitted.predict(np.arange(N_USERS), task.train).type_law.grid())
    n_views = np.count_nonzero(task.train.channels == 3)
    view = (n_views + 1) / (len(task.train) + 2)
    assert p[..., 3] == pytest.approx(np.full((N_USERS, N_ITEMS), view))
    assert p[..., :3].sum(axis=2) == pytest.approx(np.full((N_USERS, N_ITEMS), 1 - view))
    assert p[..., :3] @ [1, 2, 3] / (1 - view) == pytest.approx(table.values, abs=0.03)


def test_claims_and_sizes() -> None:
    task = make_task(STARS)
    ranking, rating = (fit("fake", task, lambda _: random_table(1, 5)) for fit in (fit_ranking, fit_rating))
    assert ranking.claims == {"consume"}
    assert rating.claims == {"rating"}
    assert ranking.n_bytes == 100 + ranking.link.n_bytes
    assert rating.n_bytes == 100 + rating.link.n_bytes + 5 * 8


def test_they_can_be_evaluated() -> None:
    task = make_task(STARS)
    asked = task.validation
    for fit, metric in ((fit_ranking, "ndcg@5"), (fit_rating, "rmse")):
        fitted = fit("fake", task, lambda _: random_table(1, 5))
        report = evaluate_by_user(fitted.predict, STARS, asked.history, asked.targets, claims=fitted.claims)
        assert metric in report.metrics


def test_the_same_seed_draws_the_same_users() -> None:
    task = make_task(STARS)
    links = [fit_ranking("fake", task, lambda _: random_table()).link for _ in range(2)]
    assert (links[0].values == links[1].values).all()


def test_a_score_that_is_no_number() -> None:
    table = random_table()
    table.values[5, 3] = np.nan
    ranking = Ranking("fake", STARS, table, ConsumeLink(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.0))
    with pytest.raises(PeerError, match="fake: the score of user 5, item 3 is nan, expected a number"):
        ranking.predict(np.array([4, 5]), make_task(STARS).train.select(np.array([4, 5])))
    rating = Rating("fake", STARS, table, RatingLink(3.0, 3.0, np.full((1, 5), 0.2)), np.zeros(5))
    with pytest.raises(PeerError, match="fake: the score of user 5, item 3 is nan, expected a number"):
        rating.predict(np.array([5]), make_task(STARS).train.select(np.array([5])))


def test_no_rating_to_fit_the_law_on() -> None:
    task = make_task(SHOP)
    views = replace(task.validation.targets, channels=np.full_like(task.validation.targets.channels, 3))
    silent = replace(task, validation=replace(task.validation, targets=views))
    with pytest.raises(DataError, match="fake: no rating in the validation data, expected some to fit the law"):
        fit_rating("fake", silent, lambda _: random_table(1, 3))


def test_nothing_to_fit_a_link_on() -> None:
    task = make_task(STARS)
    none = np.empty(0, dtype=np.int64)
    empty = replace(task, validation=replace(task.validation, targets=make(none, none, none)))
    with pytest.raises(DataError, match="nothing in the validation data, expected interactions to fit links on"):
        fit_ranking("fake", empty, lambda _: random_table())


def test_the_uniform_law() -> None:
    law = UniformLaw(2, 3, 4)
    assert np.exp(law.grid()) == pytest.approx(np.full((2, 3, 4), 0.25))
    assert np.exp(law.pairs(np.array([0, 1]), np.array([2, 2]))) == pytest.approx(np.full((2, 4), 0.25))
