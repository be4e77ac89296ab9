"""Checks the built site: nothing from elsewhere, no link that leads nowhere, and every choice, key and file is there.

python .ci/site.py docs/_build/html
"""

import html
import re
import runpy
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mrfusion
from mrfusion import families
from mrfusion.run_folder import run, study
from mrfusion.spec import RunSpec
from mrfusion.study.design import Study

LOADED = {
    "script": "src",
    "link": "href",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
}
NOT_LOADED = {"canonical", "search", "index", "next", "prev", "author", "license"}  # rel of a <link> that is only said
NOTEBOOKS = ("first_study.ipynb", "placement.ipynb")
WORDS = ("arm", "plan", "digest", "fold", "energy", "verdict")
_ELSEWHERE = re.compile(r"url\(\s*['\"]?(?:https?:)?//|@import\s+(?:url\()?\s*['\"]?(?:https?:)?//")
FILES_OF = runpy.run_path(str(Path(__file__).with_name("reference.py")))["listed"]


@dataclass
class Page(HTMLParser):
    """What one page loads, where it links to, and which places in it can be linked to."""

    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    styles: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.places |= {found[name] for name in ("id", "name") if name in found}
        self._in_style = tag == "style"
        self.styles.append(found.get("style", ""))
        if tag in LOADED and not (tag == "link" and found.get("rel") in NOT_LOADED):
            self.loads.append(found.get(LOADED[tag], ""))
        elif tag == "a":
            self.links.append(found.get("href", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.styles.append(data)


def faults(site: Path) -> Iterator[str]:
    """One line for each fault."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    if not pages:
        yield f"{site}: expected built pages, found none"
    places = {path.resolve(): page.places for path, page in pages.items()}
    for path, page in pages.items():
        name = path.relative_to(site)
        yield from (f"{name}: loads {url} from elsewhere" for url in page.loads if urlsplit(url).netloc)
        yield from (f"{name}: a style loads from elsewhere" for text in page.styles if _ELSEWHERE.search(text))
        yield from (f"{name}: {link} leads nowhere" for link in page.links if not _leads(link, path, places))
    for style in sorted(site.rglob("*.css")):
        if _ELSEWHERE.search(style.read_text(encoding="utf-8")):
            yield f"{style.relative_to(site)}: loads from elsewhere"


def lacking(site: Path) -> Iterator[str]:
    """One line for each thing of the code that its page of reference does not name, and for absent notebooks."""
    said = {path.relative_to(site).as_posix(): _text(path) for path in site.rglob("*.html")}
    wanted = [(f"choices/{family}.html", name) for family in families.families() for name in families.names(family)]
    wanted += [("specification.html", key) for key in (*RunSpec.model_fields, *Study.model_fields)
               if key not in {*RunSpec.not_in_a_file, *Study.not_in_a_file}]  # fmt: skip
    wanted += [("metrics.html", name) for name in families.names("metrics")]
    wanted += [("metrics_images.html", name) for name in families.names("image_metrics")]
    wanted += [("python.html", name) for name in vars(mrfusion)["__all__"]]
    wanted += [("api.html", name) for name in vars(mrfusion)["__all__"] if name != "__version__"]
    wanted += [("files.html", html.escape(name)) for module in (run, study) for name, _ in FILES_OF(module.__doc__)]
    wanted += [("glossary.html", word) for word in WORDS]
    for page, name in wanted:
        if name not in said.get(page, ""):
            yield f"{page}: {name} is not there"
    for name in NOTEBOOKS:
        if not list(site.glob(f"_downloads/*/{name}")):
            yield f"the notebook {name} is not offered for download"


def _read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _text(path: Path) -> str:
    return re.sub(r"<[^>]+>", "", path.read_text(encoding="utf-8"))


def _leads(link: str, path: Path, places: dict[Path, set[str]]) -> bool:
    """Whether a link inside the site has an end; links to elsewhere are not followed."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path.resolve()
    if not target.is_file():
        return False
    place = unquote(parts.fragment)
    return not place or place in places.get(target, {place})


def main() -> None:
    """Print what is wrong, and fail where anything is."""
    site = Path(sys.argv[1])
    found = [*faults(site), *lacking(site)]
    print("\n".join(dict.fromkeys(found)) or f"{site}: nothing from elsewhere, no link leads nowhere, all is there")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
