"""JSON lines."""

import gzip
from pathlib import Path

import pytest

from conv4rec.data.sources import load_ratings
from conv4rec.errors import DataError


def test_json_lines(tmp_path: Path) -> None:
    text = '{"user": "a", "item": 1, "rating": 4}\n\n{"user": "b", "item": 2, "extra": 1, "rating": 4.5}\n'
    (tmp_path / "r.jsonl").write_text(text)
    (tmp_path / "r.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    for name in ("r.jsonl", "r.ndjson.gz"):
        ratings = load_ratings(tmp_path / name)
        assert ratings.frame.rows() == [("a", 1, 4.0), ("b", 2, 4.5)]
        assert "columns not used: extra" in ratings.notes


def test_a_key_that_comes_late_is_a_column(tmp_path: Path) -> None:
    lines = ['{"user": 1, "item": %d}' % n for n in range(300)]  # noqa: UP031 - braces
    (tmp_path / "r.jsonl").write_text("\n".join([*lines, '{"user": 1, "item": 300, "rating": 5}']))
    assert load_ratings(tmp_path / "r.jsonl").frame["rating"].to_list() == [None] * 300 + [5.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"user": 1, "item": 2}\n\n{"user": 1,\n', "r.jsonl:3: not JSON: "),
        ('{"user": 1, "item": 2}\n[1, 2]\n', "r.jsonl:2: [1, 2] is not a JSON object; expected one on every line"),
        (
            '{"user": "1", "item": 2}\n\n{"user": 5, "item": 2}\n',
            "r.jsonl:3: user id 5 is a number, others are strings",
        ),
        ('{"user": 1, "item": 2}\n{"item": 2}\n', "r.jsonl:2: user id missing; expected an id in every row"),
        ('{"user": 1}\n', "r.jsonl: no item column; found user"),
        ('{"user": 1, "item": NaN}\n', "r.jsonl:1: not JSON: NaN is not a number there"),
        ('{"user": 1, "item": [1]}\n', "r.jsonl:1: item id [1] is List(Int64); expected an integer or a string"),
        ('{"user": 1, "item": 1}\n{"user": {"a": 1}, "item": 1}\n', "r.jsonl: unexpected value"),
        ("", "r.jsonl: empty file"),
    ],
)
def test_a_fault_has_a_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.jsonl").write_text(text)
    with pytest.raises(DataError) as caught:
        load_ratings(tmp_path / "r.jsonl")
    assert str(caught.value).startswith(message)
