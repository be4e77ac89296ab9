"""What `make docs` checks of the built site: each fault is found, and a sound page has none."""

import runpy
from pathlib import Path

import pytest

SITE = runpy.run_path(str(Path(__file__).parents[2] / ".ci" / "site.py"))
SOUND = """<html><head><link rel="stylesheet" href="_static/a.css"><link rel="canonical" href="https://x.org/a.html">
<style>p { background: url("data:image/png;base64,AA==") }</style></head><body><h1 id="top">x</h1>
<script src="_static/a.js"></script><a href="#top">up</a> <a href="b.html#end">on</a> <a href="https://x.org">out</a>
<img src="_static/a.png"></body></html>"""


def faults_of(folder: Path, page: str, style: str = "p { color: red }") -> list[str]:
    (folder / "_static").mkdir()
    (folder / "_static" / "a.css").write_text(style)
    (folder / "b.html").write_text('<p id="end">x</p>')
    (folder / "a.html").write_text(page)
    return list(SITE["faults"](folder))


def test_a_sound_page_has_none(tmp_path: Path) -> None:
    assert faults_of(tmp_path, SOUND) == []


@pytest.mark.parametrize(
    ("sound", "broken", "said"),
    [
        ("_static/a.js", "https://cdn.org/a.js", "a.html: loads https://cdn.org/a.js from elsewhere"),
        ("_static/a.css", "//fonts.org/a.css", "a.html: loads //fonts.org/a.css from elsewhere"),
        ("_static/a.png", "http://x.org/a.png", "a.html: loads http://x.org/a.png from elsewhere"),
        ('url("data:', 'url("https://x.org/', "a.html: a style loads from elsewhere"),
        ("b.html#end", "c.html", "a.html: c.html leads nowhere"),
        ("b.html#end", "b.html#start", "a.html: b.html#start leads nowhere"),
        ('"#top"', '"#bottom"', "a.html: #bottom leads nowhere"),
    ],
)
def test_a_fault_is_found(sound: str, broken: str, said: str, tmp_path: Path) -> None:
    assert faults_of(tmp_path, SOUND.replace(sound, broken)) == [said]


@pytest.mark.parametrize("rule", ["@import 'https://x.org/a.css';", "@font-face { src: url(//x.org/a.woff2) }"])
def test_a_style_that_loads_from_elsewhere_is_found(rule: str, tmp_path: Path) -> None:
    assert faults_of(tmp_path, SOUND, rule) == ["_static/a.css: loads from elsewhere"]


def test_an_empty_site_lacks_everything(tmp_path: Path) -> None:
    assert list(SITE["faults"](tmp_path)) == [f"{tmp_path}: expected built pages, found none"]
    found = list(SITE["lacking"](tmp_path))
    for line in ("choices/exports.html: onnx is not there", "files.html: history.csv is not there",
                 "glossary.html: verdict is not there", "specification.html: budget is not there",
                 "the notebook placement.ipynb is not offered for download"):  # fmt: skip
        assert line in found
