"""How well one chooses: by hand, and the correlations against scipy."""

import numpy as np
import pytest
from benchmarks.selection import FIVE, Case, ceilings, choices, compare, mean_over_cases, sensitivity, summarise
from scipy.stats import kendalltau, spearmanr

from conv4rec.timed_evaluation import BETAS


def test_one_set_by_hand() -> None:
    offline = np.array([[1.0, 2.0, 3.0, 4.0, 5.0], [9.0, 8.0, 7.0, 6.0, 5.0]])
    online = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    truth = np.array([0.2, 0.2, 0.2, 0.8, 0.4])
    msr, spearman, kendall, lost = choices(offline, online, truth)
    assert msr.tolist() == [1.0, 0.0]
    assert spearman == pytest.approx([1.0, -1.0])
    assert kendall == pytest.approx([1.0, -1.0])
    assert lost == pytest.approx([0.5, 0.75])


def test_six_models_make_six_sets() -> None:
    """The offline-best of all is right where the online-best is left out: in one set of six."""
    offline = np.array([6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    online = np.array([5.0, 6.0, 4.0, 3.0, 2.0, 1.0])
    assert choices(offline, online, online)[0] == pytest.approx(2 / 6)  # without model 0, or without model 1


def test_equal_offline_values_share_the_choice() -> None:
    offline, online = np.array([1.0, 1.0, 0, 0, 0]), np.array([1.0, 0, 0, 0, 0])
    msr, _, _, lost = choices(offline, online, online)
    assert (msr, lost) == (0.5, 0.5)
    assert choices(np.ones(5), online, online)[0] == pytest.approx(1 / FIVE)


def test_any_of_equal_winners_is_right() -> None:
    assert choices(np.array([1.0, 2, 0, 0, 0]), np.array([3.0, 3, 0, 0, 0]), np.ones(5))[0] == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_correlations_are_those_of_scipy(seed: int) -> None:
    generator = np.random.default_rng(seed)
    offline, online = generator.integers(0, 4, (2, FIVE)).astype(float)
    _, spearman, kendall, _ = choices(offline, online, np.ones(FIVE))
    assert spearman == pytest.approx(spearmanr(offline, online).statistic)
    assert kendall == pytest.approx(kendalltau(offline, online).statistic)


def test_mean_and_interval() -> None:
    told = mean_over_cases(np.tile([0.0, 1.0], 50))
    assert told["mean"] == 0.5
    assert told["interval"] == pytest.approx([0.4, 0.6], abs=0.01)


MODELS = ["a", "b", "c", "d", "e", "e, discounted"]


def make_case(world: str, seed: int) -> Case:
    generator = np.random.default_rng(seed)
    return {
        "world": world,
        "models": MODELS,
        "offline": {"users": generator.random((6, 2, len(BETAS))).tolist()},
        "online": {"liking": {"ictr": generator.random(6).tolist(), "truth": generator.random(6).tolist()}},
    }


CASES = [make_case("steady", 0), make_case("steady, odd", 1), make_case("drifts", 2)]


def expected(cases: list[Case], beta: int, form: int, online: str, models: slice = slice(None)) -> float:
    """MSR, case by case."""
    found = []
    for case in cases:
        offline = np.array(case["offline"]["users"])[models, form, beta]
        values = [np.array(case["online"]["liking"][name])[models] for name in (online, "truth")]
        found.append(float(choices(offline, *values)[0]))
    return sum(found) / len(found)


def test_a_row_per_setting() -> None:
    rows = summarise(CASES)
    assert len(rows) == 2 * len(BETAS)
    for place, row in enumerate(rows):
        form, beta = divmod(place, len(BETAS))
        assert (row["protocol"], row["answer"]) == ("users", "liking")
        assert (row["time_aware"], row["beta"]) == (form == 0, BETAS[beta])
        assert row["msr"]["mean"] == pytest.approx(expected(CASES, beta, form, "ictr"), abs=1e-4)
        assert row["msr_of_truth"]["mean"] == pytest.approx(expected(CASES, beta, form, "truth"), abs=1e-4)


def test_comparisons_are_differences_of_the_same_cases() -> None:
    found = {(row["of"], row["over"]): row["gain"]["mean"] for row in compare(CASES)}
    lloo, loo, lloo_3 = (expected(CASES, beta, form, "ictr") for beta, form in ((0, 0), (0, 1), (3, 0)))
    assert found == pytest.approx(
        {("lloo 0.3", "loo 0"): lloo_3 - loo, ("lloo 0", "loo 0"): lloo - loo, ("lloo 0.3", "lloo 0"): lloo_3 - lloo},
        abs=1e-4,
    )


def test_parts_of_the_worlds_and_of_the_models() -> None:
    rows = {(row["of"], row["time_aware"]): row for row in sensitivity(CASES)}
    stay, drift = rows["worlds that stay", True], rows["worlds that drift", True]
    assert stay["msr"][3] == pytest.approx(expected(CASES[:2], 3, 0, "ictr"), abs=1e-4)
    assert drift["msr_of_truth"][3] == pytest.approx(expected(CASES[2:], 3, 0, "truth"), abs=1e-4)
    plain = rows["models that do not discount", False]
    assert plain["msr"][5] == pytest.approx(expected(CASES, 5, 1, "ictr", slice(0, 5)), abs=1e-4)


def test_the_ceiling_is_a_choice_by_the_truth() -> None:
    each = [
        float(choices(*(np.array(case["online"]["liking"][name]) for name in ("truth", "ictr", "truth")))[0])
        for case in CASES
    ]
    assert ceilings(CASES)["liking"]["mean"] == pytest.approx(sum(each) / 3, abs=1e-4)
