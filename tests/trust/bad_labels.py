"""Bad predictions and fused images, as folders to evaluate."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from bad_images import Change, array, ball, bomb, bytes_of, dims, header, linked, moved, pipe_instead, save, with_label
from PIL import Image
from sandbox import Bad


def predicted(change: Change, *more: str) -> Callable[[Path], Sequence[object]]:
    """A label and a prediction of one case, the prediction changed."""

    def make(work: Path) -> Sequence[object]:
        for folder in ("labels", "predictions"):
            save(work / folder / "a.nii.gz", ball())
        change(work / "predictions" / "a.nii.gz")
        return (
            "evaluate",
            "predictions",
            "labels",
            "--regions",
            "whole=1+2",
            "--metrics",
            "dice",
            "--out",
            "out/s.csv",
        )

    return make


def picture(content: bytes, command: str = "evaluate") -> Callable[[Path], Sequence[object]]:
    """A PNG file of this content against a sound one."""

    def make(work: Path) -> Sequence[object]:
        for folder in ("one", "two"):
            (work / folder).mkdir()
            (work / folder / "a.png").write_bytes(png(np.eye(20, dtype=np.uint8)))
        (work / "one" / "a.png").write_bytes(content)
        if command == "evaluate":
            return ("evaluate", "one", "two", "--metrics", "dice", "--out", "out/s.csv")
        return ("evaluate-images", "one", "--source", "CT=two", "--metrics", "mi", "--out", "out/s.csv")

    return make


def png(values: np.ndarray, mode: str | None = None) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(values)
    (image.convert(mode) if mode else image).save(stream, "PNG")
    return stream.getvalue()


def enormous(width: int, height: int) -> bytes:
    """A PNG header of this size before next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


def no_prediction(path: Path) -> None:
    path.rename(path.with_name("b.nii.gz"))


COLOURS = np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8)
SQUARE = np.eye(20, dtype=np.uint8)
PREDICTIONS = {
    "gzip cut short": (bytes_of(lambda content: content[:-100]), "fetch it again"),
    "text": (bytes_of(lambda _: b"text"), "expected a gzip file"),
    "absurd dimensions": (dims(30000, 30000, 30000), "announces (30000, 30000, 30000)"),
    "a bomb": (bomb(np.float64, 512, 512, 256), "smaller data type"),
    "half a label": (array(with_label(0.5)), "expected whole numbers"),
    "a label that is no number": (array(with_label(np.nan)), "expected whole numbers"),
    "a label that nobody explained": (array(with_label(9)), "found 9"),
    "another shape": (array(np.zeros((5, 5, 5), np.uint8)), "resample one to the other"),
    "another place": (array(ball(), moved(7)), "7.0 mm apart"),
    "four dimensions": (dims(12, 7, 10, 2), "split the file"),
    "an infinite slope": (header(scl_slope=np.inf), "expected a NIfTI file"),
    "a link to nothing": (linked("nothing.nii.gz"), "expected a readable file"),
    "another name": (no_prediction, "case b: a prediction in predictions but no label"),
    "a pipe": (pipe_instead, "a.nii.gz"),
}
PICTURES = {
    "colours": (picture(png(COLOURS)), "write label values, not colours"),
    "text": (picture(b"text"), "expected a PNG file"),
    "half of it missing": (picture(png(COLOURS)[:300]), "expected a PNG file"),
    "a damaged part": (picture(png(SQUARE)[:20] + b"\xff" * 9 + png(SQUARE)[29:]), "expected a PNG file"),
    "60000 x 60000 pixels": (picture(enormous(60000, 60000)), "expected a PNG file"),
    "12000 x 12000 pixels": (picture(enormous(12000, 12000)), "expected a PNG file"),
    "another shape": (picture(png(np.eye(9, dtype=np.uint8))), "resample one to the other"),
    "a value that nobody explained": (picture(png(SQUARE * 200)), "found 200"),
    "a web page": (picture(b"<html>", "evaluate-images"), "expected a PNG file"),
    "a palette": (picture(png(COLOURS, "P"), "evaluate-images"), "found mode P"),
    "fused colours": (picture(png(COLOURS), "evaluate-images"), "expected a grey image"),
    "a fused image of another shape": (picture(png(SQUARE[:9]), "evaluate-images"), "a.png"),
    "15000 x 15000 fused pixels": (picture(enormous(15000, 15000), "evaluate-images"), "expected a PNG file"),
}

BAD_LABELS = [
    *(Bad(f"a prediction with {name}", predicted(change), (says,)) for name, (change, says) in PREDICTIONS.items()),
    *(Bad(f"a PNG file with {name}", make, (says,)) for name, (make, says) in PICTURES.items()),
    Bad("a prediction of 1.00002", predicted(array(ball() * 1.00002)), ("dice",), 0),
    Bad("gzip behind gzip", predicted(bytes_of(lambda content: content + gzip.compress(b"x"))), ("dice",), 0),
]
