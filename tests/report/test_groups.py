"""Records of one recipe on one data set make a group."""

from conv4rec.report.groups import groups_of
from tests.made_records import failed_record, make_record


def test_records_are_grouped_by_data_and_recipe_in_their_order() -> None:
    records = [make_record("ease"), make_record("ease", recipe="time"), make_record("svd"), failed_record()]
    random, time = groups_of(records)
    assert (random.title, time.title) == ("ml-1m, random", "ml-1m, time")
    assert random.models == ("ease", "svd", "bpr")
    assert [record.model for record in random.measured] == ["ease", "svd"]
    assert random.metrics[0] == "ndcg@5"
    assert random.metrics[-1] == "auc_like"


def test_runs_are_told_apart_by_what_differs() -> None:
    (one,) = groups_of([make_record("ease"), make_record("svd")])
    assert one.runs == ("",)
    (seeds,) = groups_of([make_record("ease"), make_record("ease", seed=1)])
    assert seeds.runs == ("seed 0", "seed 1")
    (both,) = groups_of([make_record("ease"), make_record("ease", seed=1, window=2)])
    assert both.runs == ("seed 0, window 1", "seed 1, window 2")


def test_names_of_files_hold_plain_characters_and_are_never_shared() -> None:
    first, second = groups_of([make_record("ease", data="a/ü"), make_record("ease", data="a--")])
    assert first.slug == "a--__random"
    assert second.slug == "a--__random-2"


def test_a_row_holds_the_fields_of_its_part() -> None:
    record = make_record("conv4rec")
    (group,) = groups_of([record])
    row = group.row(record, record.curves.ratings[0], more=1)
    assert row == {"model": "conv4rec", "run": "", **record.curves.ratings[0].model_dump(), "more": 1}
