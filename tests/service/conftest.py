"""Models that can be served, and an app around them."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from conv4rec.config import Config
from conv4rec.recommender import Conv4Rec
from conv4rec.service.keys import new_key
from conv4rec.service.settings import make_settings
from tests.conftest import make_checkerboard
from tests.service.nursery import Nursery
from tests.service.servers import Postgres, Server, served


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, fitted: Conv4Rec, small_config: Config) -> Path:
    """A folder with the models `first` and `second`, of two checkerboards."""
    folder = tmp_path_factory.mktemp("models")
    fitted.save(folder / "first.conv4rec")
    Conv4Rec(small_config).fit(make_checkerboard(seed=1)).save(folder / "second.conv4rec")
    return folder


@pytest.fixture
def store(tmp_path: Path) -> str:
    """The URL of a store that is not there yet."""
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def ask(models: Path, store: str) -> Iterator[httpx.Client]:
    """A service without keys, on a thread of this process."""
    with served(make_settings(models=(models,), store=store)) as client:
        yield client


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """What starts services without importing everything anew."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def launch(tmp_path: Path, nursery: Nursery) -> Iterator[Callable[[Sequence[str | Path]], Server]]:
    """Starts `conv4rec serve` with the words given; what still runs at the end of the test is killed."""
    servers: list[Server] = []

    def launch_it(words: Sequence[str | Path]) -> Server:
        servers.append(Server.launch(nursery, tmp_path, words))
        return servers[-1]

    yield launch_it
    for server in servers:
        if server.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A file of keys, and the keys by role."""
    made = {role: new_key(f"a-{role}er", role) for role in ("read", "write", "admin")}
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.write_text("\n".join(entry for _, entry in made.values()))
    return path, {role: key for role, (key, _) in made.items()}


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that runs."""
    made = Postgres.make()
    if isinstance(made, str):
        pytest.skip(made)
    made.start()
    yield made
    made.remove()
