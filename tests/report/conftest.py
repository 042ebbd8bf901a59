"""A run of made records and the report on it, written once."""

from pathlib import Path

import pytest

from conv4rec.report.groups import Group, groups_of
from conv4rec.report.looks import Look, looks_of
from conv4rec.report.writer import Written, write_report
from tests.made_records import MODELS, failed_record, make_record, make_run


@pytest.fixture(scope="session")
def group() -> Group:
    """Eight models and one that failed, one seed."""
    (found,) = groups_of([*(make_record(model) for model in MODELS), failed_record()])
    return found


@pytest.fixture(scope="session")
def looks(group: Group) -> dict[str, Look]:
    return looks_of(group.models)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "first run", models=("conv4rec", "ease", "svd"))


@pytest.fixture(scope="session")
def written(run: Path) -> Written:
    return write_report(run)
