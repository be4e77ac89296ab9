"""How Sphinx builds the documentation: `make docs`. Tutorials are executed; a broken link or cell fails it."""

import os
import shutil
import tempfile
from pathlib import Path

from sphinx.application import Sphinx

from mrfusion import __version__

project = "mrfusion"
author = "The mrfusion authors"
release = __version__
extensions = ["myst_nb"]
html_theme = "furo"
html_title = f"mrfusion {release}"
exclude_patterns = ["_build", "README.md"]
html_show_sphinx = html_show_copyright = False
nitpicky = True
nb_execution_mode = "cache"
nb_execution_timeout = 900
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_merge_streams = True
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header", "misc.highlighting_failure"]  # levels of included pages; cells that are shell

# Cells run in a kernel whose profile holds docs/_kernel.py alone.
_PROFILE = Path(tempfile.mkdtemp(prefix="mrfusion-docs-"))
(_PROFILE / "profile_default" / "startup").mkdir(parents=True)
shutil.copy(Path(__file__).with_name("_kernel.py"), _PROFILE / "profile_default" / "startup")
os.environ["IPYTHONDIR"] = str(_PROFILE)

# Pages of the repository that lie outside of docs/, and what shows them here.
OUTSIDE = {"benchmarks": "bench/README.md", "changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md"}
ROOT = Path(__file__).parents[1]


def setup(app: Sphinx) -> None:
    """Links that are right in the repository are made right on the site."""
    app.connect("source-read", _inside)
    app.connect("build-finished", lambda *_: shutil.rmtree(_PROFILE, ignore_errors=True))


def _inside(_: Sphinx, name: str, source: list[str]) -> None:
    if name in OUTSIDE:
        source[0] = (
            (ROOT / OUTSIDE[name]).read_text(encoding="utf-8").replace("](docs/", "](").replace("](../docs/", "](")
        )
    for page, path in OUTSIDE.items():
        source[0] = source[0].replace(f"](../{path}", f"]({page}.md").replace(f"]({path}", f"]({page}.md")
    source[0] = source[0].replace("](README.md)", "](index.md)")
