"""Every example of docs/python.md runs, from top to bottom, in one folder."""

import re
from pathlib import Path

import pytest

from mrfusion.phantom.cohort import write_cohort

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.mark.filterwarnings("ignore:.*regions contradict each other")  # a network of one epoch
def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text(encoding="utf-8")
    cases, spacing = re.findall(r"`mrfusion phantom phantom --cases (\d+) --spacing (\d+)`", page)[0]
    write_cohort(Path("phantom"), cases=int(cases), spacing_mm=float(spacing))
    (study,) = re.findall(r"```yaml\n(.*?)```", page, re.S)
    Path("study.yaml").write_text(study, encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.S)
    names: dict[str, object] = {}
    for example in examples:
        exec(compile(example, str(PAGE), "exec"), names)
    said = capsys.readouterr().out
    assert len(examples) == 7
    assert "case-1 lesion dice 0.9" in said
    assert "['only t1c', 'both'] 2 runs" in said
    assert re.search(r"both: [+-]0\.\d+ \[.*\] undecided", said)
    assert "BraTS-GLI-00000-000.nii.gz" in said
    assert "did you mean 'fusions'" in said
    assert Path("out/report.html").is_file()
