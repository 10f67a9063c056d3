"""The task of docs/add_your_own_task.md in a folder: module and settings word by word, sentences made up here."""

import csv
import itertools
import re
import shlex
import sys
from pathlib import Path

from tests import warm_process
from tests.tiny import write_encoder

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "add_your_own_task.md").read_text(encoding="utf-8")
SENTENCES = {
    "background": ("{} is common after the age of {}", "Little is known about {} before {} years of age"),
    "methods": ("We enrolled {1} patients with {0}", "Participants with {} were randomised in {} centres"),
    "results": ("{} became rarer by {} percent", "We found {1} further cases of {0}"),
}
DISEASES = ("diabetes", "asthma", "stroke", "gout", "anaemia", "psoriasis", "migraine", "sepsis", "eczema", "lupus")
SHORT = {"embedded:all-minilm-l6-v2": "./encoder", "num_train_epochs: 6": "num_train_epochs: 1"}
"""What is shortened of the page's settings: one epoch of a tiny model."""
RUN = Path("runs/abstract_sections")


def blocks(language: str) -> list[str]:
    """The code of the page in a language, in its order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


TASK, METRIC_OF_ONES_OWN, CORPUS, SOURCE, METRIC = blocks("python")
(SETTINGS,), (ROWS,), (ENTRY,) = map(blocks, ("yaml", "csv", "toml"))
TRAIN, *COMMANDS = "".join(blocks("bash")).splitlines()


def train(folder: Path) -> None:
    """Write the files of the page and give its first command: the finished run is `RUN` in the folder."""
    (folder / "abstract_sections.py").write_text(TASK)
    settings = SETTINGS
    for shown, short in SHORT.items():
        assert shown in settings
        settings = settings.replace(shown, short)
    (folder / "abstract_sections.yaml").write_text(settings)
    write_encoder(folder / "encoder")
    with (folder / "sentences.csv").open("w", newline="") as file:
        file.write(ROWS)
        numbered = enumerate(itertools.product(SENTENCES, DISEASES, (0, 1)), 40)
        csv.writer(file).writerows(
            [SENTENCES[label][form].format(disease, number), label] for number, (label, disease, form) in numbered
        )
    program, *words = shlex.split(TRAIN)
    exit_code, shown = warm_process.run(folder, [str(Path(sys.executable).with_name(program)), *words])
    assert exit_code == 0, shown
