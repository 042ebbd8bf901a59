"""Training on the original ratings and on what came since, from a store that a service has filled."""

from pathlib import Path

import httpx
from typer.testing import CliRunner

from conv4rec.cli import app
from conv4rec.data.ratings import Ratings
from conv4rec.recommender import Conv4Rec

NEW = 7
SETS = ("--set", "train.epochs=2", "--set", "train.device=cpu", "--set", "split.test=0")


def test_retraining_knows_both_and_forgets_who_was_erased(
    ask: httpx.Client, checkerboard: Ratings, store: str, models: Path, tmp_path: Path
) -> None:
    original = tmp_path / "original.csv"
    checkerboard.frame.write_csv(original)
    events = [{"user_id": NEW, "item_id": f"i{item:02d}", "rating": 5} for item in range(0, 12, 2)]
    assert ask.post("/v1/feedback", json={"events": [*events, {"user_id": 100, "item_id": "fresh", "rating": 2}]})
    assert ask.delete("/v1/users/101").json()["in_model"]
    words = ["train", "--data", str(original), "--data", store, "--model", str(models / "third.conv4rec"), *SETS]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    try:
        model = Conv4Rec.load(models / "third.conv4rec", device="cpu")
        assert model.origin.data == "original.csv + feedback"
        assert len(model.history_of(NEW)) == 6
        assert "fresh" in model.history_of(100)["item_id"]
        assert 101 not in model.vocabulary.users.values
        assert ask.post("/v1/models/third/activate").json() == {"active": "third", "before": "first"}
        assert "fresh" in [row["item_id"] for row in ask.get("/v1/users/100/history").json()["history"]]
        assert ask.get("/v1/users/101/history").status_code == 404
        assert ask.get("/v1/items/fresh/similar").status_code == 200
    finally:
        (models / "third.conv4rec").unlink()
