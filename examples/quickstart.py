"""Train on MovieLens 100K (or the simulator), ask for recommendations, save and load."""

import tempfile
from pathlib import Path

import polars as pl

from conv4rec import Conv4Rec, load_ratings
from conv4rec.errors import DatasetNotFoundError
from conv4rec.progress import ProgressBar


def main() -> None:
    """Run the example."""
    try:
        ratings = load_ratings("ml-100k")
    except DatasetNotFoundError as error:
        print(error)
        ratings = load_ratings("simulated")
    model = Conv4Rec(train={"epochs": 20})
    with ProgressBar() as bar:
        model.fit(ratings, listener=bar)

    items = ratings.frame["item_id"].unique().sort()[:3].to_list()
    print(model.recommend_for(dict(zip(items, [5, 3, None], strict=True)), k=5))

    user = ratings.frame["user_id"][0]
    print(model.recommend([user], k=5, rank_by="enjoy"))
    print(model.predict(pl.DataFrame({"user_id": [user] * 3, "item_id": items})))

    with tempfile.TemporaryDirectory() as folder:
        path = model.save(Path(folder) / "model.conv4rec")
        print(Conv4Rec.load(path).origin)


if __name__ == "__main__":
    main()
