"""A compressed model is served as any other, and one switches between the two."""

from pathlib import Path

from conv4rec.client import Client
from conv4rec.config import CompressConfig
from conv4rec.recommender import Conv4Rec
from conv4rec.service.settings import make_settings
from tests.service.same import assert_same
from tests.service.servers import served

SETTINGS = CompressConfig(width=20, k=4, epochs=5, candidates=8, device="cpu")


def test_it_is_served(fitted: Conv4Rec, tmp_path: Path, store: str) -> None:
    compressed = fitted.compress(SETTINGS)
    fitted.save(tmp_path / "exact.conv4rec")
    compressed.save(tmp_path / "compressed.conv4rec")
    with (
        served(make_settings(models=(tmp_path,), store=store, active="compressed")) as asked,
        Client(str(asked.base_url)) as client,
    ):
        told = client.recommend(users=[100, 105], k=4)["recommendations"]
        assert_same(told, compressed.recommend([100, 105], 4).to_dicts())
        assert_same(client.similar_items("i04", 3)["similar"], compressed.similar_items("i04", 3).to_dicts())
        assert client.activate("exact")["before"] == "compressed"
        told = client.recommend(users=[100, 105], k=4)["recommendations"]
        assert_same(told, fitted.recommend([100, 105], 4).to_dicts())
