"""`compare.json` and `compare.md`."""

import json
from pathlib import Path

import numpy as np
import pytest

from conv4rec.compare.result import write_result
from conv4rec.errors import DataError
from conv4rec.evaluation import Report
from conv4rec.records import Epoch, Record, read_records, write_record


def test_the_run_as_a_whole(tmp_path: Path) -> None:
    epoch = Epoch(number=1, loss_consume=1.0, loss_rating=1.0, validation={}, seconds=1.0)
    for model, rmse in (("a", 0.8), ("b", 0.9)):
        record = Record(model=model, data="d", recipe="r", metrics={"rmse": rmse}, epochs=(epoch,), config={"x": 1})
        write_record(tmp_path, record, Report({}, {}, replicates={"rmse": rmse + np.linspace(-0.01, 0.01, 99)}))
    write_record(tmp_path, Record(model="c", data="d", recipe="r", error="no"))
    result = write_result(tmp_path, command="conv4rec compare --data d", machine={"cores": 2})
    assert json.loads((tmp_path / "compare.json").read_text()) == json.loads(json.dumps(result))
    assert result["command"] == "conv4rec compare --data d"
    assert result["machine"] == {"cores": 2}
    assert [row["model"] for row in result["tables"][0]["rows"]] == ["a", "b", "c"]
    assert result["tables"][0]["rows"][1]["cells"]["rmse"]["comparison"]["p_holm"] == pytest.approx(0.02)
    assert [record["error"] for record in result["records"]] == [None, None, "no"]
    assert not {"epochs", "config", "curves", "slices"} & result["records"][0].keys()
    assert (tmp_path / "compare.md").read_text().startswith("### d, r\n")
    assert len(read_records(tmp_path)) == 3


def test_an_empty_run_has_no_tables(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no records there"):
        write_result(tmp_path, command="", machine={})
