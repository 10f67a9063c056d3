"""docs/add_your_own_task.md is followed word by word: its file, its commands, on sentences made up here."""

import csv
import itertools
import re
import shlex
import sys
from pathlib import Path

import pytest

from bioft.storage import runs
from tests import warm_process

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "add_your_own_task.md").read_text(encoding="utf-8")
SENTENCES = {
    "background": ("{} is common after the age of {}", "Little is known about {} before {} years of age"),
    "methods": ("We enrolled {1} patients with {0}", "Participants with {} were randomised in {} centres"),
    "results": ("{} became rarer by {} percent", "We found {1} further cases of {0}"),
}
DISEASES = ("diabetes", "asthma", "stroke", "gout", "anaemia", "psoriasis", "migraine", "sepsis", "eczema", "lupus")


@pytest.mark.slow
def test_the_page_gives_a_recorded_run(tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (example,) = re.findall(r"```csv\n(.*?)```", PAGE, flags=re.DOTALL)
    (commands,) = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "abstract_sections.py").write_text(code.replace("num_train_epochs=6", "num_train_epochs=1"))
    with (tmp_path / "sentences.csv").open("w", newline="") as file:
        file.write(example)
        numbered = enumerate(itertools.product(SENTENCES, DISEASES, (0, 1)), 40)
        csv.writer(file).writerows(
            [SENTENCES[label][form].format(disease, number), label] for number, (label, disease, form) in numbered
        )
    for command in commands.splitlines():
        words = shlex.split(command)
        words[0] = str(Path(sys.executable).with_name(words[0]))
        exit_code, shown = warm_process.run(tmp_path, words)
        assert exit_code == 0, shown

    record = runs.read(tmp_path / "runs" / "abstract_sections")
    assert set(record["baselines"]) == {"majority", "label_priors", "tfidf_svm", "tfidf_logistic"}
    assert record["metrics"]["f1"]["n"] == record["dataset"]["rows"]["test"]["documents"] > 10
    assert record["audit"]["checks"] == {"ids_across_splits": 0, "normalised_texts_across_splits": 0}
    assert "difference in Micro F1" in record["comparison"]["sentence"]
