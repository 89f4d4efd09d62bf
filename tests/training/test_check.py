from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.drawings import draw, page, store
from training.check import check
from training.lookalike import SAME, Gallery, features, grey_of
from training.sources import Source, find


def problems(train: Path, scale: int = 2, patch: int = 16, validation: Path | None = None) -> dict[str, str]:
    held = find(validation, scale) if validation else []
    return {Path(problem.file).name: problem.kind for problem in check(find(train, scale), held, scale, patch)}


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    return cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def test_good_pictures_pass(pictures: Path, held: Path) -> None:
    assert problems(pictures, validation=held) == {}


def test_every_kind_of_problem_is_named(tmp_path: Path, held: Path) -> None:
    store(tmp_path / "a.png", draw(20))
    store(tmp_path / "again.png", jpeg(cv2.resize(draw(20), None, fx=1.5, fy=1.5), 80))
    store(tmp_path / "small.png", draw(21, 30, 80))
    store(tmp_path / "validation.png", jpeg(draw(10), 90))
    (tmp_path / "text.png").write_text("this is no picture")
    (tmp_path / "cut.jpg").write_bytes(cv2.imencode(".jpg", draw(22))[1].tobytes()[:500])
    found = problems(tmp_path, validation=held)
    assert found == {
        "again.png": "duplicate",
        "small.png": "too small",
        "validation.png": "overlap",
        "text.png": "unusable",
        "cut.jpg": "unusable",
    }


def test_a_twin_of_the_wrong_size_is_named(tmp_path: Path) -> None:
    store(tmp_path / "DIV2K_train_HR" / "0001.png", draw(1))
    store(tmp_path / "DIV2K_train_HR" / "0002.png", draw(2))
    store(tmp_path / "DIV2K_train_LR_bicubic" / "X2" / "0001x2.png", draw(1)[::2, ::2])
    store(tmp_path / "DIV2K_train_LR_bicubic" / "X2" / "0002x2.png", draw(2)[::4, ::4])
    (problem,) = check(find(tmp_path, 2), [], 2, 16)
    assert (problem.kind, Path(problem.file).name) == ("wrong scale", "0002.png")
    assert "20×16 for 80×64" in problem.message


def test_a_part_of_a_validation_picture_is_recognised(tmp_path: Path) -> None:
    whole = page(1)
    store(tmp_path / "held" / "page.png", whole)
    store(tmp_path / "train" / "part.jpg", jpeg(whole[60:400, 100:560], 85))
    store(tmp_path / "train" / "other.png", page(2))
    assert problems(tmp_path / "train", validation=tmp_path / "held") == {"part.jpg": "overlap"}


@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_benchmark_pictures_are_refused_however_they_are_stored(data: Path, tmp_path: Path, name: str) -> None:
    benchmarks = Gallery.benchmarks()
    for file in sorted((data / name / "x2").glob("*_HR.png")):
        whole = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        height, width = whole.shape
        half = cv2.resize(whole, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        crop = whole[height // 7 : height // 7 + int(height * 0.71), width // 8 : width // 8 + int(width * 0.71)]
        for form in (
            cv2.cvtColor(jpeg(whole, 30), cv2.COLOR_BGR2GRAY),
            half,
            crop,
            cv2.convertScaleAbs(whole, alpha=0.6, beta=10),
        ):
            assert benchmarks.shown_by(features(form)) is not None, file.name
    copy = store(tmp_path / "holiday.jpg", cv2.imread(str(file))[..., ::-1])
    (problem,) = check([Source("holiday", copy)], [], 2, 16)
    assert (problem.kind, name in problem.message) == ("benchmark", True)


def test_no_training_picture_is_taken_for_a_benchmark(data: Path) -> None:
    benchmarks = Gallery.benchmarks()
    shown = {}
    for file in sorted((data / "train").rglob("*.*"))[::4]:
        grey = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if benchmarks.shown_by(features(grey), same=SAME - 1):
            shown[file.name] = grey.shape
    assert shown == {}


def test_pictures_without_any_feature_are_nobodys_twin() -> None:
    flat = features(np.full((64, 64), 128, np.uint8))
    assert Gallery.of({"flat": flat}).shown_by(flat) is None
    assert Gallery.of({}).shown_by(features(grey_of(draw(1)))) is None
