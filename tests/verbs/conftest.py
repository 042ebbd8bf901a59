"""Models that several verbs are asked of."""

import pytest

from conv4rec.config import Config
from conv4rec.data.ratings import Ratings
from conv4rec.recommender import Conv4Rec
from conv4rec.vocabulary import InteractionTypes


@pytest.fixture(scope="session")
def clicks(small_config: Config, checkerboard: Ratings) -> Conv4Rec:
    """A model of the checkerboard whose ratings are not known, and whose items have neither titles nor tags."""
    events = InteractionTypes.of((), rated=(), unrated=(None,))
    return Conv4Rec(small_config).fit(Ratings(checkerboard.frame.drop("rating"), events, name="clicks"))
