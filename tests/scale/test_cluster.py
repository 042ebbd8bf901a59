"""Ray is asked for before it is imported, and a cluster before it is worked on."""

import copy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from conv4rec.errors import MissingExtraError, TrainingError
from conv4rec.scale.cluster import check_cores, cluster, connect, cores_each, import_ray

CLUSTER = Path(__file__).parents[2] / "examples" / "cluster.yaml"


def test_without_ray_one_line_tells_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"several workers need Ray: pip install 'conv4rec\[ray\]'"):
        import_ray()


def test_ray_is_not_imported_unless_asked_for() -> None:
    code = "import sys, conv4rec.scale.training, conv4rec.scale.recommend, conv4rec.cli; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_more_workers_than_cores_are_refused(ray: Any) -> None:
    with pytest.raises(TrainingError, match="--workers 99: the Ray cluster has 2 cores; expected at most 2 workers"):
        check_cores(ray, 99)
    with cluster(2) as joined:
        assert joined is ray
        assert cores_each(ray, 2) == 1
    assert ray.is_initialized(), "who did not start it does not end it"


def test_no_cluster_at_the_address() -> None:
    def init(**_: object) -> None:
        raise ConnectionError("nobody answers\nat all")

    with pytest.raises(TrainingError, match="no Ray cluster at 10.0.0.1:6379: nobody answers"):
        connect(SimpleNamespace(init=init), 2, "10.0.0.1:6379")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_the_cluster_file_is_one_for_rays_launcher() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    written = yaml.safe_load(CLUSTER.read_text())
    config = prepare_config(copy.deepcopy(written))
    validate_config(config)
    assert config["max_workers"] == len(written["provider"]["worker_ips"])
    with pytest.raises(Exception, match="heads"):
        validate_config({**config, "heads": 2})
