"""More training pictures where a machine has no others: photographs and drawings from Debian's packages, and drawn pages.

    python -m training.more_pictures FOLDER [--packages DEBS]

makes FOLDER/wallpapers, FOLDER/clipart and FOLDER/drawn, all PNG. Wallpapers are scaled down, which takes the traces of JPEG out of
them, and those that bicubic enlarges all but perfectly, having no detail, are left out. Clip art (drawn in curves, all of it in the
public domain) is laid out in pages. DEBS is a folder of the packages named in ``more_pictures.toml``; what it lacks is fetched into it
with ``apt-get download``. Needs Debian 12 or one of its kin, with dpkg and librsvg2-bin; licences of the pictures are in the packages.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from engine import images
from engine.colour import split
from engine.errors import AdderSESRError, PictureError, TrainingError
from engine.metrics import psnr
from engine.picture import Picture
from engine.resize import imresize
from training import drawn
from training.data import bicubic
from training.drawn import HEIGHT, WIDTH, colour

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

NEEDED = {"dpkg-deb": "dpkg", "rsvg-convert": "librsvg2-bin"}
"""Commands, and the packages that have them."""
PACKAGES = Path(__file__).with_suffix(".toml")
LONGEST = (1500, 900)
"""Longer sides that wallpapers are scaled down to."""
LEAST_REDUCTION = 0.75
MOST_DB = 38.0
"""A picture that bicubic gives back with more than that has nothing to teach."""
CLIPART_PAGES, DRAWN_PAGES = 70, 40
ITEMS_A_PAGE, ITEM_PIXELS = 12, (160, 220, 300, 400)
RENDER_SECONDS = 10
FONTS = ("DejaVu", "Liberation", "FreeSans", "FreeSerif", "Lato", "Roboto", "NotoSans-", "NotoSerif-", "Comic", "Humor", "Linux", "Inter")
"""Beginnings of the names of fonts' files that have Latin letters."""


def main(arguments: list[str] | None = None) -> None:
    """Make the three folders and say how many pictures each has."""
    parser = argparse.ArgumentParser(prog="python -m training.more_pictures", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--packages", type=Path, help="a folder of Debian packages; those that it lacks are fetched into it")
    options = parser.parse_args(arguments)
    try:
        counts = make(options.folder, options.packages)
    except AdderSESRError as error:
        sys.exit(f"error: {error}")
    sys.stdout.write("".join(f"{name}: {count} pictures\n" for name, count in counts.items()))


def make(folder: Path, debs: Path | None = None) -> dict[str, int]:
    """How many pictures each of the three folders got; ``debs`` are `main`'s packages. Raises TrainingError, PictureError, OutputError."""
    for command, package in NEEDED.items():
        if shutil.which(command) is None:
            raise TrainingError(f"there is no {command} on this system (Debian's package {package})")
    wanted = tomllib.loads(PACKAGES.read_text())
    with tempfile.TemporaryDirectory(prefix="addersesr-") as place:
        found = {kind: files(packages, debs or Path(place), Path(place)) for kind, packages in wanted.items()}
        return {
            "wallpapers": store(wallpapers(found["wallpapers"]), folder / "wallpapers"),
            "clipart": store(clipart(found["clipart"], CLIPART_PAGES), folder / "clipart"),
            "drawn": store(pages(DRAWN_PAGES), folder / "drawn"),
        }


def files(packages: dict[str, list[str]], debs: Path, place: Path) -> list[Path]:
    """The files of packages that match, unpacked under ``place``, in the order of their names. Raises TrainingError."""
    debs.mkdir(parents=True, exist_ok=True)
    found: set[Path] = set()
    for package, patterns in packages.items():
        if not any(debs.glob(f"{package}_*.deb")):
            _run("apt-get", "download", package, folder=debs)
        inside = place / package
        for deb in debs.glob(f"{package}_*.deb"):
            _run("dpkg-deb", "-x", str(deb.resolve()), str(inside), folder=place)
        found |= {path for pattern in patterns for path in inside.glob(pattern) if path.is_file() and not path.is_symlink()}
    return sorted(found)


def wallpapers(paths: Sequence[Path]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Names and pixels of pictures scaled down to each of `LONGEST`, without those that have no detail."""
    for path in paths:
        try:
            pixels = images.read(path).pixels
        except PictureError:
            continue
        height, width = pixels.shape[:2]
        for longest in LONGEST:
            factor = longest / max(height, width)
            if factor <= LEAST_REDUCTION:
                smaller = imresize(pixels, round(height * factor), round(width * factor))
                if bicubic_db(smaller) <= MOST_DB:
                    yield f"{path.parent.parent.parent.name}-{path.stem}-{longest}", smaller


def bicubic_db(pixels: NDArray[np.uint8]) -> float:
    """How near the luma comes to itself, scaled down to a half and enlarged again."""
    height, width = (side // 2 * 2 for side in pixels.shape[:2])
    whole = np.ascontiguousarray(pixels[:height, :width])
    small = split(bicubic(whole, 2))[0]
    return psnr(imresize(small, height, width), split(whole)[0], border=0, peak=1)


def clipart(paths: Sequence[Path], count: int, seed: int = 5) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Pages (480, 640, 3) of drawings laid over one another, white, coloured or shaded from one colour to another."""
    rng = np.random.default_rng(seed)
    left = [paths[index] for index in rng.permutation(len(paths))]
    for number in range(count):
        page, items = _paper(rng), 0
        while left and items < ITEMS_A_PAGE:
            item = _rendered(left.pop(), int(rng.choice(ITEM_PIXELS)))
            if item is not None:
                _lay(page, item, int(rng.integers(-20, WIDTH - 120)), int(rng.integers(-20, HEIGHT - 120)))
                items += 1
        if items:
            yield f"clipart{number:03}", np.rint(page).astype(np.uint8)


def pages(count: int) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Drawn pages, of text and of lines in turn; of lines alone where no font is found. The text is this program's own."""
    words = [word for word in (__doc__ or "").replace("``", "").split() if word.isascii()] + [str(number) for number in range(0, 1000, 37)]
    fonts = sorted(path for path in Path("/usr/share/fonts").rglob("*.[to]tf") if path.name.startswith(FONTS))
    for number in range(count):
        yield f"drawn{number:03}", drawn.lines(number) if number % 2 or not fonts else drawn.text(number, words, fonts)


def store(pictures: Iterator[tuple[str, NDArray[np.uint8]]], folder: Path) -> int:
    """Write them as PNG; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for name, pixels in pictures:
        images.write(Picture(pixels), folder / f"{name}.png", overwrite=True)
        count += 1
    return count


def _paper(rng: np.random.Generator) -> NDArray[np.float32]:
    first, last = (np.array(colour(rng), np.float32) for _ in range(2))
    if rng.random() < 0.5:
        first = last = first if rng.random() < 0.4 else np.full(3, 255, np.float32)
    down = np.linspace(0, 1, HEIGHT, dtype=np.float32)[:, None, None]
    return np.repeat(first * (1 - down) + last * down, WIDTH, 1)


def _rendered(path: Path, side: int) -> NDArray[np.uint8] | None:
    """A drawing with its opacity, (H, W, 4) in the order of OpenCV, as large as fits a square; None if it cannot be drawn."""
    try:
        made = subprocess.run(
            ["rsvg-convert", "--width", str(side), "--height", str(side), "--keep-aspect-ratio", str(path)],
            capture_output=True,
            timeout=RENDER_SECONDS,
            check=True,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return None
    picture = cast("NDArray[np.uint8] | None", cv2.imdecode(np.frombuffer(made.stdout, np.uint8), cv2.IMREAD_UNCHANGED))
    return picture if picture is not None and picture.ndim == 3 and picture.shape[2] == 4 else None


def _lay(page: NDArray[np.float32], item: NDArray[np.uint8], x: int, y: int) -> None:
    """Put ``item`` over the page, its corner at (x, y), as far as it lies on it."""
    shown = item[max(-y, 0) :, max(-x, 0) :][: HEIGHT - max(y, 0), : WIDTH - max(x, 0)]
    part = page[max(y, 0) :, max(x, 0) :][: shown.shape[0], : shown.shape[1]]
    opacity = shown[:, :, 3:].astype(np.float32) / 255
    part += opacity * (shown[:, :, 2::-1] - part)


def _run(*command: str, folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise TrainingError(f"there is no {command[0]} on this system")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TrainingError(f"{' '.join(command)}: {done.stderr.strip()}")


if __name__ == "__main__":
    main()
