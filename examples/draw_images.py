"""Draws the twelve cartoons of chest films in images/ and writes images.csv with their reports.

    python examples/draw_images.py [FOLDER]

They are drawings of invented findings, made of ellipses and lines: no film of anybody stands
behind them. As on a film, the patient's right side is on the left.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 96
FINE = 4
"""Drawn this many times larger, then averaged, for soft edges."""
LEVELS = 48
"""Gray levels, few enough for small files."""

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
Side = tuple[float, float]

RIGHT, LEFT = 0.31, 0.69
"""Middle of the patient's right and left lung, as a share of the width."""


@dataclass(frozen=True)
class Film:
    """What one cartoon shows, and the report that says so.

    Attributes:
        heart: width of the heart as a share of the image's.
        fluid: effusions: middle of the lung, and the level as a share of the height.
        spots: nodules and opacities: centre, radius, brightness.
        tube: end of a tube from above, as a share of the height.
    """

    id: str
    patient: str
    text: str
    heart: float = 0.27
    fluid: tuple[Side, ...] = ()
    spots: tuple[tuple[float, float, float, float], ...] = ()
    tube: float | None = None


FILMS = (
    Film("film01", "p01", "The heart is of normal size. Both lungs are clear. No effusion."),
    Film("film02", "p02", "Clear lungs, slender heart. Nothing abnormal.", heart=0.22),
    Film(
        "film03",
        "p03",
        "The heart is clearly enlarged. Lungs clear, no effusion.",
        heart=0.41,
    ),
    Film(
        "film04",
        "p04",
        "Moderate left pleural effusion with a level at the base. Heart size normal.",
        fluid=((LEFT, 0.66),),
    ),
    Film(
        "film05",
        "p05",
        "Small right pleural effusion. The left lung is clear.",
        fluid=((RIGHT, 0.74),),
    ),
    Film(
        "film06",
        "p06",
        "Round nodule in the right upper lobe. No effusion. Heart not enlarged.",
        spots=((0.30, 0.32, 0.045, 0.75),),
    ),
    Film(
        "film07",
        "p07",
        "Two small nodules in the left lung, one in the upper and one in the lower zone.",
        spots=((0.70, 0.30, 0.032, 0.75), (0.74, 0.58, 0.032, 0.75)),
    ),
    Film(
        "film08",
        "p08",
        "The endotracheal tube ends above the carina. Lungs clear.",
        tube=0.30,
    ),
    Film(
        "film09",
        "p09",
        "Enlarged heart and small effusions on both sides, as in heart failure.",
        heart=0.39,
        fluid=((RIGHT, 0.72), (LEFT, 0.72)),
    ),
    Film(
        "film10",
        "p10",
        "Patchy opacity in the right lower lobe, suspicious for pneumonia. No effusion.",
        spots=((0.30, 0.62, 0.11, 0.28), (0.35, 0.56, 0.07, 0.24)),
    ),
    Film(
        "film11",
        "p04",
        "The left effusion has grown and now reaches the middle of the lung.",
        fluid=((LEFT, 0.48),),
    ),
    Film(
        "film12",
        "p03",
        "Enlarged heart as before. New tube, its end above the carina.",
        heart=0.41,
        tube=0.28,
    ),
)


def draw(film: Film) -> NDArray[np.uint8]:
    """The cartoon of a film, ``[SIZE, SIZE]``."""
    grid = (np.arange(SIZE * FINE) + 0.5) / (SIZE * FINE)
    x, y = np.meshgrid(grid, grid)
    picture = np.full(x.shape, 0.03)
    picture[ellipse(x, y, 0.5, 0.62, 0.47, 0.60)] = 0.50
    for middle in (RIGHT, LEFT):
        lung = ellipse(x, y, middle, 0.48, 0.155, 0.36) & (y < base(x, middle))
        picture[lung] = 0.16
        picture[lung & ribs(x, y, middle)] += 0.07
        for side, level in film.fluid:
            if side == middle:
                outer = 0.05 * ((x - middle) / 0.155) * (1 if middle > 0.5 else -1)
                picture[lung & (y > level - outer)] = 0.62
    for across, down, radius, brightness in film.spots:
        distance = np.hypot(x - across, y - down) / radius
        picture += brightness * np.clip(1.6 - 1.6 * distance, 0.0, 1.0) * 0.6
    shift = 0.5 + 0.18 * film.heart
    heart = ellipse(x, y, shift, 0.64, film.heart / 2, 0.155)
    picture[heart] = np.maximum(picture[heart], 0.66)
    spine = (np.abs(x - 0.5) < 0.045) & (y > 0.05)
    picture[spine] = np.maximum(picture[spine], 0.64)
    picture[(np.abs(x - 0.5) < 0.016) & (y < 0.34)] = 0.42
    if film.tube is not None:
        picture[(np.abs(np.abs(x - 0.5) - 0.011) < 0.005) & (y < film.tube)] = 0.98
    small = picture.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3)).clip(0.0, 1.0)
    gray: NDArray[np.uint8] = np.rint(np.rint(small * (LEVELS - 1)) * 255 / (LEVELS - 1)).astype(
        "u1"
    )
    return gray


def ellipse(x: Field, y: Field, across: float, down: float, half: float, tall: float) -> Mask:
    """Where the points lie within an ellipse."""
    return ((x - across) / half) ** 2 + ((y - down) / tall) ** 2 < 1


def base(x: Field, middle: float) -> Field:
    """Height of the diaphragm's dome."""
    return 0.74 + 2.2 * (x - middle) ** 2 + (0.02 if middle > 0.5 else 0.0)


def ribs(x: Field, y: Field, middle: float) -> Mask:
    """Where faint ribs cross a lung."""
    bow = 1.6 * (x - middle) ** 2 - 0.15 * np.abs(x - 0.5)
    return ((y + bow) % 0.1) < 0.028


def main(folder: Path) -> None:
    """Write all images and the table."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    with (folder / "images.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(("id", "patient", "image", "text"))
        for film in FILMS:
            name = f"images/{film.id}.png"
            Image.fromarray(draw(film)).save(folder / name, optimize=True)
            writer.writerow((film.id, film.patient, name, film.text))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
