"""Segments by tag and by cluster, and the taste for each."""

import numpy as np
import polars as pl
import pytest

from conv4rec.ids import Ids
from conv4rec.recommender import Conv4Rec
from conv4rec.verbs.segments import Segments
from conv4rec.vocabulary import InteractionTypes, Vocabulary
from tests.triples import make_interactions

IDS = Vocabulary(
    Ids.fit(pl.Series(["u"]), kind="user"),
    Ids.fit(pl.Series(["a", "b", "c", "d"]), kind="item"),
    InteractionTypes.of([1]),
)
SIDE = pl.DataFrame({"item_id": ["d", "a", "b", "x"], "tags": [["war"], ["fun", "war"], ["fun"], ["odd"]]})
POPULARITY = np.array([0.4, 0.3, 0.2, 0.1])


def test_tags_are_segments_and_an_item_may_be_in_several() -> None:
    found = Segments.of(IDS, SIDE, np.eye(4), POPULARITY)
    assert found.names == ["fun", "war"]
    assert found.members.toarray().tolist() == [[1, 1], [1, 0], [0, 0], [0, 1]]
    assert [items.tolist() for items in found.examples] == [[0, 1], [0, 3]]
    assert found.n_items.tolist() == [2, 2]
    assert found.share == pytest.approx([0.7, 0.5])


def test_shares_and_lift_by_hand() -> None:
    found = Segments.of(IDS, SIDE, np.eye(4), POPULARITY)
    history = make_interactions([(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 1, 0)], n_users=1, n_items=4)
    counts, share, lift = found.of_history(history)
    assert counts.tolist() == [3, 1]
    assert share.tolist() == [0.75, 0.25]
    assert lift == pytest.approx([(3 + 5 * 0.7) / (9 * 0.7), (1 + 5 * 0.5) / (9 * 0.5)])
    values = np.array([1.0, 0.0, 9.0, 0.5])
    assert found.mean(values) == pytest.approx([0.4 / 0.7, (0.4 + 0.05) / 0.5])


def test_without_tags_items_that_lie_together_are_a_segment() -> None:
    rng = np.random.default_rng(3)
    centres = np.eye(12)[np.arange(600) % 12]
    vectors = centres + 0.02 * rng.normal(size=centres.shape)
    ids = Vocabulary(IDS.users, Ids.fit(pl.Series(range(600)), kind="item"), IDS.types)
    popularity = np.full(600, 1 / 600)
    found = Segments.of(ids, None, vectors, popularity)
    again = Segments.of(ids, None, vectors, popularity)
    assert (found.members.toarray() == again.members.toarray()).all()
    cluster = found.members.toarray().argmax(axis=1)
    assert found.names == [f"cluster {place + 1}" for place in range(cluster.max() + 1)]
    kinds = [np.bincount(np.arange(600)[cluster == place] % 12, minlength=12) for place in range(len(found.names))]
    assert np.mean([kind.max() / kind.sum() for kind in kinds]) > 0.8
    assert len(found.names) >= 8


def test_clusters_of_the_checkerboard_have_a_colour(clicks: Conv4Rec) -> None:
    profile = clicks.profile(100)
    assert "p_like" not in profile.segments.columns
    assert profile.segments["segment"].str.starts_with("cluster ").all()
    mine = profile.segments.filter(pl.col("share") > pl.col("population_share"))
    even = [int(name[1:]) % 2 == 0 for names in mine["examples"] for name in names]
    assert np.mean(even) > 0.9


def test_taste_is_found_again_in_a_simulated_world(simulated: Conv4Rec) -> None:
    """Of two users, the one who has taken more of a tag has the higher lift, and expects more of it next."""
    users = simulated.vocabulary.users.values[:40]
    lifts = {user: dict(simulated.profile(user).segments.select("segment", "lift").iter_rows()) for user in users}
    table = simulated.recommend(users, len(simulated.vocabulary.items), exclude_seen=False)
    assert simulated.items is not None
    table = table.join(simulated.items.select("item_id", "tags"), on="item_id")
    comedy = table.with_columns(is_comedy=pl.col("tags").list.contains("Comedy"))
    law = comedy.group_by("user_id").agg((pl.col("p_consume") * pl.col("is_comedy")).sum()).sort("user_id")
    ours = [lifts[user]["Comedy"] for user in law["user_id"]]
    assert np.corrcoef(ours, law["p_consume"].log())[0, 1] > 0.45
