"""Every command of docs/own_data.md runs: each dataset is built of a file in its layout, recipes run dry on it."""

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bioft.cli import main as cli
from tests.datasets.formats.test_conll import write as write_conll
from tests.datasets.formats.test_damaged_own import RECORDS, of_label_studio, write_chemprot
from tests.datasets.formats.test_documents import documents, write_bioc_xml, write_brat, write_pubtator
from tests.datasets.formats.test_labels import texts, write
from tests.datasets.formats.test_pairs import HEADER, genes, scored
from tests.docs.pages import commands
from tests.recipe import command_line, load_recipe, run_recipe
from tests.tiny import write_encoder, write_model

COMMANDS = commands("docs/own_data.md")
TINY = {
    "token_classification": {"window_length": 96, "window_overlap": 24},
    "joint_ner_re": {"window_length": 96, "window_overlap": 24},
    "mlm": {"block_length": 64},
    "contrastive": {"trained_layers": 1},
}
"""What the tiny models read."""
ELSEWHERE = "tests/datasets/formats/test_hub.py"
"""Where commands on a dataset on the Hub are run."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the page names."""
    folder = tmp_path_factory.mktemp("own")
    for name, n in (("train", 40), ("devel", 10), ("test", 10)):
        sentences = [(["the", "drug", f"{name}{i}", "helps"], [("Drug", 1, 3)]) for i in range(n)]
        write_conll(folder / f"{name}.tsv", sentences, "IOB2")
    write_pubtator(documents(), folder).rename(folder / "own.pubtator")
    write_bioc_xml(documents(), folder).rename(folder / "own.bioc.xml")
    write_brat(documents(), folder).rename(folder / "brat_folder")
    write(folder / "sentences.tsv", [(text, n % 2) for n, text in enumerate(texts(80, "train"))])
    held_out = [(n, text, n % 2) for n, text in enumerate(texts(20, "test"))]
    write(folder / "held_out.tsv", held_out, ("index", "sentence", "label"))
    notes = [(text, ("a", "a;b", "b")[n % 3], n // 4) for n, text in enumerate(texts(80, "note"))]
    write(folder / "notes.csv", notes, ("text", "labels", "patient"), ",")
    studio = [of_label_studio(n) for n in range(RECORDS)]
    (folder / "annotated.json").write_text(json.dumps(studio))
    for file in write_chemprot(folder / "chemprot").iterdir():
        file.rename(folder / file.name.replace("own", "chemprot"))
    papers = [(f"paper {n}", text, n % 2) for n, text in enumerate(texts(80, "paper"))]
    write(folder / "papers.csv", papers, ("title", "abstract", "label"), ",")
    write(folder / "scored.tsv", scored(), HEADER)
    questions = [(f"what is {i}", f"it is {i}") for i in range(40)]
    write(folder / "questions.csv", questions, ("question", "answer"), ",")
    write(folder / "lines.txt", [(text,) for text in texts(60, "line")])
    write(folder / "genes.csv", genes(), ("gene", "disease", "label"), ",")
    write_encoder(folder / "encoder")
    write_model(folder / "language_model")
    return folder


BUILT: dict[Path, set[str]] = {}
"""Which commands of the page have built their data in a folder."""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_runs(folder: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After those before it that build data: another process may have run them in a folder of its own."""
    monkeypatch.chdir(folder)
    built = BUILT.setdefault(folder, set())
    for each in COMMANDS[: COMMANDS.index(command) + 1]:
        if each not in built and (each == command or each.startswith("bioft build ")):
            check(each)
            built.add(each)


def check(command: str) -> None:
    """Run a command of the page in the working directory; what trains goes all the way to the first step."""
    if "user/ner_corpus" in command or "own/hub" in command:
        assert (Path(__file__).resolve().parents[2] / ELSEWHERE).is_file()
        return
    program, *words = shlex.split(command)
    if program == "bioft" and words[0] != "train":
        answer = CliRunner().invoke(cli.app, words)
        assert answer.exit_code == 0, answer.output
        return
    recipe = load_recipe(Path(words[1] if program == "bioft" else words[0]).stem)
    # The dataset was built by the command before it.
    model = "language_model" if recipe.__name__ == "sft_gda" else "encoder"
    run_recipe(
        recipe,
        *words[2 if program == "bioft" else 1 :],
        *command_line(model_name_or_path=model, dry_run=True, **TINY.get(recipe.__name__, {})),
    )
    assert not Path("runs").exists()


def test_the_page_names_every_builder_of_own_data() -> None:
    for name in ("entities", "relations", "labels", "texts", "pairs", "gene-disease"):
        assert any(command.startswith(f"bioft build {name} ") for command in COMMANDS)
