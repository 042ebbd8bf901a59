"""The registry is complete, consistent, and needs no peer installed."""

import subprocess
import sys

import pytest

from conv4rec.config import Config
from conv4rec.peers.peer import Peer, Setting
from conv4rec.peers.registry import PEERS

NAMES = [
    "conv4rec",
    "popular",
    "ease",
    "implicit-als",
    "implicit-bpr",
    "cornac-mf",
    "cornac-vaecf",
    "lenskit-biased-mf",
    "lenskit-iknn",
    "lenskit-iknn-rating",
    "surprise-svd",
    "surprise-svdpp",
]


def test_the_names() -> None:
    assert list(PEERS) == NAMES
    assert [peer.name for peer in PEERS.values()] == NAMES


def test_listing_imports_no_package_of_others() -> None:
    code = (
        "import sys, conv4rec.peers.registry;"
        "sys.exit(bool({'implicit', 'cornac', 'lenskit', 'surprise', 'pandas', 'threadpoolctl'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
def test_every_default_lies_within_its_space(peer: Peer) -> None:
    for name, setting in peer.space.items():
        default = peer.defaults[name]
        assert setting.low <= default <= setting.high
        assert isinstance(default, int) or not setting.integer


@pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
def test_what_is_monitored_is_claimed(peer: Peer) -> None:
    claimed = {"ndcg@20": "consume", "rmse": "rating", "nll": "rating"}
    assert claimed[peer.monitor] in peer.claims


def test_the_defaults_of_our_model_are_its_settings() -> None:
    settings = Config().model_dump()
    for name, value in PEERS["conv4rec"].defaults.items():
        section, field = name.split(".")
        assert settings[section][field] == value


def test_logarithmic_ranges_do_not_start_at_zero() -> None:
    ranges: list[Setting] = [setting for peer in PEERS.values() for setting in peer.space.values()]
    assert all(setting.low > 0 for setting in ranges if setting.log)
