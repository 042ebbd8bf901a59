"""Pictures of recovery show every measured distance, the bound and the rate of ours."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conv4rec.report.drawing import Picture, page_spec
from conv4rec.report.recovery import draw_growth, draw_weights, write_pictures
from conv4rec.theory.closeness import Closeness
from conv4rec.theory.recovery import Found, RecoverySettings
from conv4rec.theory.recovery_result import RecoveryResult

SETTINGS = RecoverySettings(worlds=("low-rank",), sizes=(10, 40), models=("conv4rec", "empirical"))


def found(model: str, size: int, tv: float, *, seed: int = 0, weight: float = 1.0) -> Found:
    kl = float("inf") if model == "empirical" else 2 * (2 * tv) ** 2
    return Found("low-rank", seed, size, size * 100 + seed, model, weight, Closeness(tv, tv, tv, kl, kl, kl))


@pytest.fixture(scope="module")
def result() -> RecoveryResult:
    grown = [found(model, n, 2 * n**-0.5, seed=seed) for seed in (0, 1) for n in (10, 40) for model in SETTINGS.models]
    return RecoveryResult(SETTINGS, grown, [found("conv4rec", 40, 0.3, weight=w) for w in (0.0, 1.0, 100.0)])


def layers(picture: Picture, panel: int = 0) -> list[list[dict[str, Any]]]:
    """The rows of every layer of a panel."""
    spec = page_spec(picture.panels[panel])
    return [spec["datasets"][(layer.get("data") or spec["data"])["name"]] for layer in spec["layer"]]


def test_growth_has_a_panel_a_part_of_the_law(result: RecoveryResult) -> None:
    picture = draw_growth(result)
    assert len(picture.panels) == 3
    titles = [page_spec(panel)["title"] for panel in picture.panels]
    assert titles[0]["text"] == "items and ratings, low-rank tastes"
    assert titles[0]["subtitle"].startswith("Conv4Rec falls as N^-0.50 ")
    assert picture.models == ("Conv4Rec", "empirical")


def test_lines_are_means_the_bound_and_the_rate(result: RecoveryResult) -> None:
    lines, points = layers(draw_growth(result))
    assert len(points) == 8
    of = {name: [row for row in lines if row["line"] == name] for name in ("measured", "Pinsker bound", "fitted rate")}
    assert [(row["model"], row["interactions"]) for row in of["measured"]] == [
        ("Conv4Rec", 1000.5), ("empirical", 1000.5), ("Conv4Rec", 4000.5), ("empirical", 4000.5),
    ]  # fmt: skip
    assert [row["tv"] for row in of["Pinsker bound"]] == pytest.approx([4 * n**-0.5 for n in (10, 40)])
    assert {row["model"] for row in of["Pinsker bound"] + of["fitted rate"]} == {"Conv4Rec"}
    assert [row["interactions"] for row in of["fitted rate"]] == [1000, 4001]


def test_weights_are_in_their_order(result: RecoveryResult) -> None:
    panel = page_spec(draw_weights(result).panels[0])
    assert panel["layer"][0]["encoding"]["x"]["sort"] == ["0", "1", "100"]


def test_no_rate_without_growth(result: RecoveryResult) -> None:
    once = replace(result, found=[each for each in result.found if each.size == 10 and each.seed == 0])
    assert page_spec(draw_growth(once).panels[0])["title"]["subtitle"] == ""
    lines, _ = layers(draw_growth(once))
    assert {row["line"] for row in lines} == {"measured", "Pinsker bound"}


def test_pictures_are_written(result: RecoveryResult, tmp_path: Path) -> None:
    paths = write_pictures(result, tmp_path / "new")
    assert [path.name for path in paths] == ["recovery.png", "weights.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert len(write_pictures(replace(result, reweighted=()), tmp_path)) == 1


def test_a_page_has_the_pictures_and_their_figures(result: RecoveryResult, tmp_path: Path) -> None:
    write_pictures(result, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert page.count('data-chart="recovery__') == page.count('data-chart="weights__') == 3
    assert "<summary>All distances</summary>" in page
    assert f"<td>{result.table()['tv_joint'][0]:.4g}</td>" in page
    assert "http://" not in page.split("<script", 1)[0]


def test_colours_in_the_key_of_a_page_are_those_of_its_panels(result: RecoveryResult, tmp_path: Path) -> None:
    plain = [found("plain-16", 40, 0.3, weight=w) for w in (0.0, 1.0)]
    write_pictures(replace(result, reweighted=[*plain, *result.reweighted]), tmp_path)
    page = (tmp_path / "report.html").read_text()
    picture = draw_weights(replace(result, reweighted=[*plain, *result.reweighted]))
    scale = page_spec(picture.panels[0])["layer"][0]["encoding"]["color"]["scale"]
    keys = page[page.index('id="weights"') :]
    for model, colour in zip(scale["domain"], scale["range"], strict=True):
        button = keys[: keys.index(f'data-model="{model}"') + 400].rsplit(f'data-model="{model}"', 1)[1]
        assert f'fill="{colour}"' in button
