"""The report in a real browser: it complains of nothing, asks nobody, answers on the first screen, can be worked."""

import json

import pytest

from chromium import PROGRAM, Browser
from mrfusion.report.page import build_report
from mrfusion.study.load import load_study

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine")
READY = """new Promise(done => {
  const viewer = () => !document.getElementById('viewer') || document.getElementById('viewer').dataset.drawn;
  const wait = () => document.querySelector('.canvas .main-svg') && viewer() ? done(true) : setTimeout(wait, 50);
  wait();
})"""
EVIL = "<img src=x onerror=alert(1)><script>alert(1)</script>"


@pytest.fixture(scope="module")
def page(study_folder, tmp_path_factory):
    return build_report(load_study(study_folder), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


@pytest.fixture
def opened(browser, page):
    browser.open(page)
    browser.js(READY)
    return browser


def test_it_complains_of_nothing_and_asks_nobody(opened, page):
    assert opened.complaints == []
    assert opened.requests == [page.resolve().as_uri()]


@pytest.mark.parametrize("element", ["h1", "#verdict", "table.forest tbody tr:last-child", ".facts dd"])
def test_the_answer_is_on_the_first_screen(opened, element):
    box = opened.js(f"document.querySelector({element!r}).getBoundingClientRect().toJSON()")
    assert 0 <= box["top"] < box["bottom"] <= 800
    assert 0 <= box["left"] < box["right"] <= 1280
    assert opened.js("scrollY") == 0


def test_nothing_is_wider_than_the_page(opened):
    assert opened.js("document.documentElement.scrollWidth") <= 1280


def test_the_keyboard_reaches_every_control(opened):
    """Tab walks through the page; every control that can be seen must come by."""
    controls = "[...document.querySelectorAll('a[href],button,select,input,summary,canvas[tabindex]')]"
    opened.js(f"{controls}.forEach((e, n) => e.dataset.n = n); document.activeElement.blur(); window.seen = new Set()")
    count = opened.js(f"{controls}.filter(e => e.checkVisibility()).length")
    assert count > 30
    for _ in range(count + 40):
        opened.press("Tab", 9)
        opened.js("seen.add(document.activeElement.dataset.n)")
    missed = opened.js(
        f"{controls}.filter(e => e.checkVisibility() && !seen.has(e.dataset.n)).map(e => e.outerHTML.slice(0, 90))"
    )
    assert missed == []


def test_a_button_chooses_another_figure(opened):
    before = opened.js("document.querySelector('#points-figure .canvas').innerHTML.length")
    opened.js("document.querySelector('#points-figure button[aria-pressed=false]').focus()")
    opened.press("Enter", 13)
    opened.call("Input.dispatchKeyEvent", type="char", text="\r")
    opened.js("new Promise(r => setTimeout(r, 200))")
    assert opened.js("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert opened.js("document.querySelector('#points-figure .canvas').innerHTML.length") != before


def pixels(browser, axis):
    """The colours of a plane, as [r, g, b, a, ...]."""
    return browser.js(
        f"(() => {{ const c = document.querySelector('canvas[data-axis=\"{axis}\"]');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]; })()"
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_viewer_draws_grey_blue_and_orange(opened, axis):
    found = pixels(opened, axis)
    red, green, blue = found[0::4], found[1::4], found[2::4]
    assert len(set(red)) > 20
    assert any(b > r + 40 for r, b in zip(red, blue, strict=True))
    assert any(r > b + 40 for r, b in zip(red, blue, strict=True))
    assert max(green) > 80


def choose(browser, control, value):
    """Set a control of the viewer as a reader would, and wait until it has drawn again."""
    browser.js(f"""new Promise(done => {{
      const viewer = document.getElementById('viewer'), control = document.getElementById('v-{control}');
      const before = viewer.dataset.drawn;
      control.value = {value};
      ['input', 'change'].forEach(kind => control.dispatchEvent(new Event(kind)));
      const wait = () => viewer.dataset.drawn !== before ? done(true) : setTimeout(wait, 20);
      wait();
    }})""")


def test_the_viewer_obeys(opened):
    first = pixels(opened, 2)
    opened.js("document.querySelector('canvas[data-axis=\"2\"]').focus()")
    opened.press("PageUp", 33)
    assert pixels(opened, 2) != first
    choose(opened, "opacity", 0)
    bare = pixels(opened, 2)
    assert all(abs(r - b) < 25 for r, b in zip(bare[0::4], bare[2::4], strict=True))
    choose(opened, "image", 3)
    assert pixels(opened, 2) != bare
    assert "t2f" in opened.js("document.querySelector('canvas[data-axis=\"2\"]').getAttribute('aria-label')")


def test_names_do_nothing(browser, make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, EVIL: 0.01}, cases=2, folds=1, seeds=1, size=32)
    for place in (folder / "cohort.json", folder / "splits.json", folder / "study.json"):
        place.write_text(
            place.read_text().replace('"case-01"', json.dumps(EVIL)).replace("beat", json.dumps(EVIL)[1:-1])
        )
    for file in folder.glob("runs/*/scores.*"):
        file.write_text(file.read_text().replace("case-01", EVIL))
    browser.open(build_report(load_study(folder)))
    browser.js(READY)
    assert browser.complaints == []
    assert len(browser.requests) == 1
    assert browser.js("document.querySelectorAll('img[src=x]').length") == 0


def test_dark_and_print_are_readable(opened):
    for media in ({"media": "print"}, {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}):
        opened.call("Emulation.setEmulatedMedia", **media)
        colours = opened.js(
            "(() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; })()"
        )
        ink, paper = (sum(int(v) for v in c.strip("rgb()").split(",")[:3]) for c in colours)
        assert abs(ink - paper) > 450
    opened.call("Emulation.setEmulatedMedia", media="", features=[])
