"""What was planned from the data, and for what question, so that a study that goes on does not plan anew."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mrfusion.files import read_json, write_json


def read_answer(path: Path, asked: Mapping[str, Any]) -> dict[str, Any] | None:
    """The answer that this question had; None where it was never asked here."""
    return next((dict(entry["answer"]) for entry in _answers(path) if entry["asked"] == asked), None)


def keep_answer(path: Path, asked: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Add an answer to those that the file has."""
    write_json(path, {"answers": [*_answers(path), {"asked": asked, "answer": answer}]})


def _answers(path: Path) -> list[dict[str, Any]]:
    return list(read_json(path)["answers"]) if path.is_file() else []
