"""Writes docs/choices/: a page for each family, every choice with its options, from their sources."""

from pathlib import Path

from mrfusion import families
from mrfusion.command.explain import NEEDED, Explanation, Option, as_markdown, explain

PAGES = Path(__file__).parents[1] / "docs" / "choices"
HEADER = "| option | values | default | what it says |\n|---|---|---|---|\n"


def pages() -> dict[str, str]:
    """File name -> page: one for each family, and the list of them."""
    known = {family: [explain(family, name) for name in families.names(family)] for family in families.families()}
    listed = "".join(
        f"- [{family}]({family}.md): {', '.join(e.name for e in found)}\n" for family, found in known.items()
    )
    made = "Made by `python .ci/choices.py` from the sources; `mrfusion list` shows the same."
    opening = f"# Every choice by name\n\n{made}\n\n"
    return {"index.md": opening + listed} | {f"{family}.md": page(family, found) for family, found in known.items()}


def page(family: str, found: list[Explanation]) -> str:
    """A family's page."""
    return f"# {family}\n\n" + "\n".join(_section(each) for each in found)


def _section(found: Explanation) -> str:
    table = HEADER + "".join(_row(option) for option in found.options) + "\n" if found.options else ""
    about = f"{as_markdown(found.about)}\n\n" if found.about else ""
    return f"## {found.name}\n\n{found.summary}\n\n{about}{table}    {found.example}\n"


def _row(option: Option) -> str:
    default = option.default if option.default == NEEDED else f"`{option.default}`"
    cells = (f"`{option.name}`", option.kind, default, option.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for name, text in pages().items():
        (PAGES / name).write_text(text, encoding="utf-8")
