"""The verdict in the report: sentences, report.json, tables for papers, fairness, methods."""

import json
import math
import re
import shutil

import pytest

from mrfusion.comparison.aggregate import mean_differences, paired
from mrfusion.comparison.fairness import FOREIGN, RunFacts, differing, examine, terms_between
from mrfusion.errors import SpecError
from mrfusion.files import read_json, write_json, write_rows
from mrfusion.report.export import as_latex, as_markdown, write_tables
from mrfusion.report.methods import paragraphs
from mrfusion.report.page import build_report
from mrfusion.report.sentence import leading, sentence
from mrfusion.report.terminal import verdict_table
from mrfusion.report.wording import duration
from mrfusion.study.load import load_study

KEYS = {
    "arm", "reference", "region", "metric", "effect", "ci_low", "ci_high", "scope", "p_holm", "p_equivalent_holm",
    "verdict", "for_these_trainings", "reasons", "notes", "advice", "margin", "margin_reason", "patients", "seeds",
    "folds", "runs", "missing", "interim", "exploratory",
}  # fmt: skip
ARMS = {"concat": 0.0, "separate": 0.06, "only-t1c": -0.075, "late": 0.0}


@pytest.fixture(scope="module")
def folder(make_study, tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("verdict"), arms=ARMS, cases=30, folds=5, size=16)


@pytest.fixture(scope="module")
def found(folder):
    return json.loads(build_report(load_study(folder)).with_suffix(".json").read_text())


def test_every_comparison_has_exactly_these_keys(found):
    assert {frozenset(row) for row in found["comparisons"]} == {frozenset(KEYS)}
    assert {(r["patients"], r["seeds"], r["folds"]) for r in found["comparisons"] if r["region"] == "WT"} == {
        (30, 2, 5)
    }
    assert len(found["comparisons"]) == 3 * 4 * 2  # arms x (regions and their mean) x (Dice and IoU)


def test_the_planted_verdicts_come_out(found):
    verdicts = {(r["arm"], r["region"]): r["verdict"] for r in found["comparisons"] if r["metric"] == "dice"}
    assert verdicts["separate", "WT"] == "helps"
    assert verdicts["only-t1c", "mean"] == "hurts"
    assert not verdicts["late", "WT"].startswith(("hurts", "helps"))


def test_effects_are_the_means_of_the_paired_table(folder, found):
    study = load_study(folder)
    table = mean_differences(paired(study.case_rows, "concat"))
    for row in found["comparisons"]:
        if row["region"] == "WT":
            assert row["effect"] == pytest.approx(table[row["arm"], row["metric"], "WT"])


def test_the_sentence_says_all(folder, found):
    assert re.fullmatch(
        r"separate helps over concat by \d+\.\d Dice points in the mean over regions "
        r"\(95 % CI −?\d+\.\d to \d+\.\d; 30 patients, 2 seeds, 5 folds; "
        r"equal epochs and optimiser steps; 2\.5 times the parameters, 2\.5 times the training time\)\.",
        found["verdict"][0],
    )
    study = load_study(folder)
    assert [str(sentence(study, row)) for row in leading(study)] == found["verdict"]
    page = " ".join((folder / "report.html").read_text().split())
    assert '<strong>separate</strong> <strong class="figure">helps</strong> over concat by' in page
    assert verdict_table(study).row_count == 12


def test_equal_budget_never_stands_above_unequal_terms(found, folder):
    page = (folder / "report.html").read_text()
    assert "Not on equal terms" in page
    assert "equal budget" not in page


def test_the_sentence_opens_with_what_has_not_converged(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "late": 0.1}, cases=12, folds=3, seeds=2, size=16)
    run = next(run for run in load_study(folder).runs if run.arm == "late")
    rising = [
        (epoch, name, value) for epoch in range(1, 9) for name, value in (("val/score", 0.1 * epoch), ("seconds", 1.0))
    ]
    write_rows(folder / "runs" / run.digest / "history.csv", ("epoch", "quantity", "value"), rising)
    study = load_study(folder)
    said = str(sentence(study, leading(study)[0]))
    assert said.startswith(
        "Not converged: late, 1 of 6 runs: the validation score still rises. late is undecided against concat"
    )
    words = build_report(load_study(folder)).read_text()
    assert '<span class="caution">Not converged: late' in words
    assert '<span class="what unequal">not converged</span>' in words
    assert "the validation score still rises, 29% of its gain is of the last quarter" in words
    assert "1 of 6 runs" in json.loads((folder / "report.json").read_text())["not_converged"]["late"]


@pytest.mark.parametrize("parents", [("aa",), ("aa", "bb", "cc")], ids=["one", "a parent for each fold"])
def test_the_sentence_opens_with_the_one_run_that_all_folds_begin_with(make_study, tmp_path, parents):
    folder = make_study(tmp_path / "s", arms={"nothing": 0.0, "adapted": 0.1}, cases=12, folds=3, seeds=1, size=16)
    for run in load_study(folder).runs_of("adapted"):
        spec = folder / "runs" / run.digest / "spec.json"
        write_json(spec, read_json(spec) | {"origin": {"parents": [parents[run.fold % len(parents)]]}})
    page = build_report(load_study(folder))
    study = load_study(folder)
    said = "One parent run: every fold of adapted begins with run aa; another run was not tried. adapted"
    assert str(sentence(study, leading(study)[0])).startswith(said) == (len(parents) == 1)
    assert ('<span class="what unequal">one parent run</span>' in page.read_text()) == (len(parents) == 1)


def test_what_goes_beyond_the_plan_is_called_exploratory(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "late": 0.1, "sum": 0.1}, cases=12, folds=3, size=16)
    added = {
        "everywhere": [],
        "arms": {"sum": "arm sum was added"},
        "regions": {},
        "metrics": {"iou": "metric iou was added"},
    }
    design = read_json(folder / "study.json") | {
        "frozen": "ab" * 32,
        "added": added | {"dropped": ["seeds 7 of the plan are no longer part of the study"]},
    }
    write_json(folder / "study.json", design)
    found = json.loads(build_report(load_study(folder)).with_suffix(".json").read_text())
    marked = {(row["arm"], row["metric"]): tuple(row["exploratory"]) for row in found["comparisons"]}
    assert marked["late", "dice"] == ()
    assert marked["late", "iou"] == ("metric iou was added",)
    assert marked["sum", "iou"] == ("arm sum was added", "metric iou was added")
    said = {str(sentence(load_study(folder), row)) for row in leading(load_study(folder))}
    assert any(text.startswith("Exploratory, because arm sum was added. sum is undecided") for text in said)
    page = (folder / "report.html").read_text()
    assert "exploratory: metric iou was added" in page
    assert "seeds 7 of the plan are no longer part of the study" in page
    assert "abababababababab" in page


def test_an_undecided_arm_says_what_would_decide(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "late": 0.006}, cases=10, folds=2, seeds=2, size=16)
    rows = json.loads(build_report(load_study(folder)).with_suffix(".json").read_text())
    page = (folder / "report.html").read_text()
    assert "late is undecided" in rows["verdict"][0]
    assert "would decide" in rows["verdict"][0]
    for row in rows["comparisons"]:
        assert (row["verdict"] == "undecided") == bool(row["reasons"])
        assert all(reason in page for reason in row["reasons"])


def test_a_single_hold_out_speaks_of_these_trainings(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, "separate": 0.1}, cases=12, folds=1, seeds=3, size=16)
    rows = json.loads(build_report(load_study(folder)).with_suffix(".json").read_text())
    assert "separate is undecided against concat" in rows["verdict"][0]
    assert "for these trainings it helps" in rows["verdict"][0]
    assert "3 folds or more would earn a word" in rows["verdict"][0]
    assert "for these trainings: helps" in (folder / "report.html").read_text()
    assert "not of the method" in as_markdown(load_study(folder))


def test_one_arm_and_no_runs_compare_nothing(make_study, tmp_path):
    folder = make_study(tmp_path / "s", arms={"alone": 0.0}, cases=2, folds=1, seeds=1, size=16)
    assert json.loads(build_report(load_study(folder)).with_suffix(".json").read_text())["comparisons"] == []
    assert "One arm, so nothing is compared." in (folder / "report.html").read_text()
    assert "We compared 1 arm" in as_markdown(load_study(folder))


@pytest.mark.parametrize("key", ["hypotheses", "family"])  # the second is that of version 0.1.0
def test_declared_hypotheses_are_read(make_study, tmp_path, key):
    folder = make_study(tmp_path / "s", cases=6, folds=1, seeds=1, size=16)
    study = json.loads((folder / "study.json").read_text())
    write_json(folder / "study.json", study | {key: {"regions": ["WT"], "margins": {"dice": 0.05}}})
    rows = load_study(folder).comparisons
    assert {r.family for r in rows if (r.metric, r.region) == ("dice", "WT")} == {"dice"}
    assert {r.family for r in rows if (r.metric, r.region) == ("dice", "ET")} == {"other dice"}
    assert {r.margin for r in rows if r.metric == "dice"} == {0.05}


def test_tables_for_papers(folder, tmp_path):
    latex = as_latex(load_study(folder))
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{table}") == 2
    assert latex.count(r" \\") == 2 * (1 + 12)
    assert r"95 \% interval" in latex
    assert not re.search(r"(?<!\\)[%_#]", latex)
    markdown = write_tables(load_study(folder), "markdown", tmp_path / "tables.md").read_text()
    assert sum(line.startswith("| ") for line in markdown.splitlines()) == 2 * (2 + 12)
    assert write_tables(load_study(folder), "latex") == folder / "report.tex"
    with pytest.raises(SpecError, match="latex"):
        write_tables(load_study(folder), "latx")


def test_names_are_text_in_tables_too(make_study, tmp_path):
    evil = r"<script>|$x$\input{a}"
    folder = make_study(tmp_path / "s", arms={"concat": 0.0, evil: 0.0}, cases=6, folds=1, seeds=1, size=16)
    study = load_study(folder)
    assert "<script>" not in as_markdown(study)
    assert r"\textless{}script\textgreater{}|\$x\$\textbackslash{}input\{a\}" in as_latex(study)


def test_an_arm_of_another_program_is_left_out_of_what_was_trained(folder, tmp_path):
    place = shutil.copytree(folder, tmp_path / "study")
    study = load_study(place)
    own = [run for run in study.done if run.arm != "late"]
    for run in study.done:
        if run.arm == "late":
            write_json(run.folder.path / "environment.json", {FOREIGN: ["elsewhere"]})
    study = load_study(place)
    design, training, *_ = paragraphs(study)
    assert f"every arm but late was trained on the same splits with 2 random seeds, {len(own)} runs in all" in design
    assert "The predictions of late were made elsewhere, read fold by fold against the same splits" in training
    seconds = sum(run.environment["train_seconds"] for run in own)
    page = build_report(study).read_text()
    assert f"<dt>Training in all</dt><dd>{duration(seconds)}</dd>" in page


def test_the_methods_paragraph_has_this_studys_numbers(folder):
    text = as_markdown(load_study(folder))
    assert "30 cases of 30 patients" in text
    assert "5 folds" in text
    assert "40 runs in all" in text
    assert "over the 12 comparisons of the declared family" in text


def run(arm, *, plan="concat", fold=0, cases=("a", "b"), fingerprint="f", **cost):
    costs = {"parameters": 100, "epochs": 10, "steps": 50, "train_seconds": 5.0} | cost
    return RunFacts(arm, fold, frozenset(cases), plan, fingerprint, costs)


def test_equal_terms_have_no_violation():
    assert examine([run("ref"), run("a", plan="late", parameters=105)], "ref").violations == {}


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (run("a", cases=("a",)), "fold 0 tests other cases than ref's"),
        (run("a", fold=1), "fold 1 was not run with ref"),
        (run("a", fingerprint="g"), "fold 0 was run on other data than ref's"),
        (run("a", epochs=20), "20 epochs against 10"),
        (
            run("a", plan="late", parameters=250),
            "2.5 times the parameters; no arm with the reference's plan has as many",
        ),
        (run("a", train_seconds=11.0), "2.2 times the training time"),
    ],
)
def test_what_is_unequal_is_named(other, says):
    assert says in examine([run("ref"), other], "ref").violations["a"]


def test_controls_are_recognised():
    wide, long = run("wide", parameters=245), run("long", steps=100, epochs=20)
    arms = examine([run("ref"), run("a", plan="late", parameters=250, steps=100), wide, long], "ref")
    assert arms.arms["a"].parameter_matched == ("wide",)
    assert arms.arms["a"].step_matched == ("long",)
    assert "2.5 times the parameters; wide has as many" in arms.violations["a"]
    assert str(arms.terms["a"]) == "equal epochs; 2 times the optimiser steps, 2.5 times the parameters"
    assert str(arms.terms["long"]) == "equal parameters; 2 times the epochs, 2 times the optimiser steps"


def test_an_arm_that_changes_two_things_at_once_is_warned_about():
    changed = {"a": ("plan", "schedule"), "b": ("plan",)}
    found = examine([run("ref"), run("a"), run("b")], "ref", changed)
    assert list(found.violations) == ["a"]
    assert found.violations["a"][0].startswith("changes 2 things at once (plan, schedule)")


def test_nothing_is_said_of_the_terms_of_an_arm_that_was_trained_elsewhere():
    """Its plan is what a study's file has for all arms, and no plan of its own: no control, and no change."""
    elsewhere = RunFacts("nn", 0, frozenset("ab"), "concat", "f", {FOREIGN: ["here"]})
    ours = [run("a", plan="late"), run("b")]
    changed = {"a": ("plan", "predictions"), "b": ("predictions",), "nn": ("plan", "predictions")}
    for reference in ("nn", "a"):
        found = examine([elsewhere, *ours], reference, changed)
        assert found.unknown == {"nn"}
        assert (found.violations if reference == "nn" else found.violations.get("nn")) in ({}, None)
        assert {facts.step_matched + facts.parameter_matched for facts in found.arms.values()} == {()}
    assert examine([elsewhere, *ours], "a", changed | {"b": ("plan", "losses")}).violations["b"]


def test_what_differs_between_two_specifications():
    base = {"plan": "concat", "budget": {"epochs": 5, "decay": "cosine"}, "losses": ["dice_ce"]}
    other = {"plan": "separate", "budget": {"epochs": 9, "decay": "cosine"}, "losses": ["dice_ce"], "search": "forward"}
    assert differing(base, base) == ()
    assert differing(other, base) == ("plan", "budget.epochs", "search")


def test_terms_that_are_not_known_are_neither_equal_nor_unequal():
    nothing = terms_between({"parameters": 300.0, "epochs": math.nan}, {"parameters": 100.0, "epochs": 3.0})
    assert (nothing.equal, nothing.unequal) == ((), ("3 times the parameters",))


def test_a_control_is_called_one_and_equal_steps_need_none():
    arms = examine([run("ref"), run("a", plan="late", parameters=250), run("wide", parameters=245)], "ref")
    assert arms.arms["a"].step_matched == ()
    assert "2.5 times the parameters; the reference's own plan, a control of size" in arms.violations["wide"]
