"""The words of a report."""

from datetime import UTC, datetime

import pytest

from conv4rec.records import Budget, Record
from conv4rec.report import sections
from conv4rec.report.groups import Group, groups_of
from tests.made_records import failed_record, make_record

MORNING, EVENING = datetime(2026, 1, 2, 8, 30, tzinfo=UTC), datetime(2026, 1, 2, 20, 0, tzinfo=UTC)


def of(*records: Record) -> Group:
    (group,) = groups_of(records)
    return group


def test_warnings_are_said_once_and_escaped() -> None:
    first = make_record("ease", warnings=("leak: <b>", "cold: 3 users"))
    html = sections.warnings(of(first, make_record("svd", warnings=("leak: <b>",))))
    assert html.startswith('<div class="warning" role="note">')
    assert "Before you believe the figures: 2 warnings" in html
    assert html.count("<li>leak: &lt;b&gt;</li>") == 1


def test_no_warning_is_said_too() -> None:
    assert "The records warn of no leak" in sections.warnings(of(make_record("ease", warnings=())))
    assert "There are no figures: every job failed." in sections.warnings(of(failed_record()))


def test_facts_name_data_split_seeds_and_dates() -> None:
    html = sections.facts(of(make_record("ease"), make_record("svd", seed=4), failed_record()), (MORNING, EVENING))
    for name, value in {
        "Data": "ml-1m",
        "Seeds": "0, 4",
        "Time windows": "1",
        "Models": "ease, svd, bpr",
        "Jobs": "2 jobs with figures, 1 failed",
        "Tested on": "6,034 users, 100,021 interactions",
        "Records written": "2026-01-02 08:30 UTC to 2026-01-02 20:00 UTC",
    }.items():
        assert f"<dt>{name}</dt><dd>{value}</dd>" in html
    assert html.count("<li>random: 80 % train") == 2


def test_counts_on_which_records_differ_are_left_out() -> None:
    html = sections.facts(
        of(make_record("ease", counts={"users": 5, "items": 1}), make_record("svd", counts={"users": 5, "items": 2})),
        (MORNING, MORNING),
    )
    assert "<dd>5 users</dd>" in html
    assert "<dd>2026-01-02 08:30 UTC</dd>" in html


def test_notes_of_all_come_first_and_others_name_their_models() -> None:
    group = of(
        make_record("ease", notes=("mine", "all", "mine", "all")), make_record("svd", notes=("all",)), failed_record()
    )
    assert sections.notes(group) == "<ul><li>all</li><li>ease: mine</li></ul>"
    assert sections.notes(of(make_record("ease", notes=()))) == "<p>The records hold none.</p>"


def test_searches_say_settings_and_budget() -> None:
    budget = Budget(trials=7, seconds=12.0, limit_trials=7, monitor="ndcg@20", value=0.3)
    group = of(make_record("ease", params={"l2": 800.0}, budget=budget), make_record("svd", budget=None))
    html = sections.searches(group)
    assert '<th scope="row">ease</th><td><code>l2 = 800.0</code></td><td>searched by ndcg@20 on validation' in html
    assert '<th scope="row">svd</th><td>none</td><td>not searched</td>' in html


def test_settings_that_are_shared_are_told_once() -> None:
    shared, other = {"train": {"epochs": 3}}, {"train": {"epochs": 4}}
    records = [make_record(name, config=config) for name, config in (("a", shared), ("b", shared), ("c", other))]
    html = sections.settings(of(*records))
    assert html.count("<pre>") == 2
    assert "<p>ml-1m__random__a__s0__w1, ml-1m__random__b__s0__w1</p>" in html
    assert sections.settings(of(make_record("a"))) == "<p>The records hold no settings.</p>"


@pytest.mark.parametrize(("told", "html"), [((), None), (("A.", "B."), '<p class="how">A. B.</p>')])
def test_what_is_absent(told: tuple[str, ...], html: str | None) -> None:
    assert sections.absent(told) == html
