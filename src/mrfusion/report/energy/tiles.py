"""One slice of a case as tiles: its images, the weight of each modality and the energy at every level, the errors."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mrfusion.report.energy.load import ArmEnergies
from mrfusion.report.heat import heat_uri, picture_uri, span_of
from mrfusion.run_folder.energies import EnergyMaps

MARGIN = 3  # pixels around the body


@dataclass(frozen=True)
class Tile:
    """A picture, what stands under it, and what it is in words; without a picture where there is nothing to show."""

    says: str
    alt: str
    uri: str = ""


@dataclass(frozen=True)
class TileRow:
    """A row of tiles: the images, or one level; ``spans`` are what is darkest and brightest in it, of pi and of e."""

    title: str
    tiles: tuple[Tile, ...]
    spans: tuple[tuple[str, float, float], ...] = ()


@dataclass(frozen=True)
class CaseTiles:
    """A case of a run with all its rows; ``shape`` is the width and height of a tile in mm."""

    case: str
    says: str
    shape: tuple[float, float]
    rows: tuple[TileRow, ...]


def tiles_of(arm: ArmEnergies) -> list[CaseTiles]:
    """The cases with the highest and the lowest energy in the arm's first run that kept maps."""
    shown = arm.maps.shown
    if shown is None:
        return []
    where = f"fold {shown.run.fold}, seed {shown.run.seed}"
    return [_case(maps, f"{role} energy, {where}") for role, maps in shown.maps.items()]


def _case(maps: EnergyMaps, says: str) -> CaseTiles:
    rows, columns = _seen(maps.body)
    height, width = maps.picture.pixel_mm
    shape = ((columns.stop - columns.start) * width, (rows.stop - rows.start) * height)
    body = maps.body[rows, columns]
    levels = [_level(maps, place, body, (rows, columns)) for place in range(len(maps.levels))]
    return CaseTiles(maps.picture.case, says, shape, (_images(maps, (rows, columns)), *levels))


def _images(maps: EnergyMaps, box: tuple[slice, slice]) -> TileRow:
    picture, case = maps.picture, maps.picture.case
    by_name = dict(zip(picture.modalities, picture.images, strict=True))
    tiles = [_image(name, case, by_name.get(name), box) for name in maps.modalities]
    wrong = np.where(maps.error, 255, np.where(maps.body, 70, 0)).astype(np.uint8)[box]
    return TileRow("Images", (*tiles, Tile("errors", f"{case}: where the prediction is wrong", picture_uri(wrong))))


def _image(name: str, case: str, image: npt.NDArray[np.uint8] | None, box: tuple[slice, slice]) -> Tile:
    if image is None:
        return Tile(f"{name}, absent", f"{name} is absent in {case}")
    return Tile(name, f"{case}, {name}", picture_uri(image[box]))


def _level(maps: EnergyMaps, place: int, body: npt.NDArray[np.bool_], box: tuple[slice, slice]) -> TileRow:
    title, case = f"Level {maps.levels[place] + 1}", maps.picture.case
    energy, weights = maps.energy[place][box], maps.weights[place][(slice(None), *box)]
    of_pi, of_e = span_of(weights, body), span_of(energy, body)
    tiles = [
        Tile(f"π {name}", f"{case}, {title}: weight of {name}, mean {_mean(w, body)}", heat_uri(w, body, of_pi))
        for name, w in zip(maps.modalities, weights, strict=True)
    ]
    tiles.append(Tile("e", f"{case}, {title}: energy e, mean {_mean(energy, body)}", heat_uri(energy, body, of_e)))
    return TileRow(title, tuple(tiles), (("π", *of_pi), ("e", *of_e)))


def _mean(values: npt.NDArray[np.float32], body: npt.NDArray[np.bool_]) -> str:
    return f"{float(values[body].mean()):.2f}" if body.any() else "nothing"


def _seen(body: npt.NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of the body with a margin; everything where there is none."""
    return _span(np.flatnonzero(body.any(axis=1)), len(body)), _span(np.flatnonzero(body.any(axis=0)), body.shape[1])


def _span(places: npt.NDArray[np.intp], size: int) -> slice:
    if not places.size:
        return slice(0, size)
    return slice(max(0, int(places[0]) - MARGIN), min(size, int(places[-1]) + 1 + MARGIN))
