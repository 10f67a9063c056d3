import csv
import errno
import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import bioft
from bioft.cli.main import app
from bioft.errors import BioftError
from bioft.training import presets

REPOSITORY = Path(bioft.__file__).resolve().parent.parent
HEAVY = ("torch", "transformers", "datasets", "sklearn", "pandas", "numpy", "evaluate", "matplotlib", "peft")


def bioft_command(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as the installed entry point does."""
    program = "import sys; from bioft.cli.main import main; sys.argv[0] = 'bioft'; main()"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "160"},
        **options,
    )


def invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "160"})


def message(result: Any) -> str:
    """The error message of a command that failed as it should: exit code 1, no traceback, on stderr."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")
    return result.stderr


@pytest.fixture(scope="module")
def ctd_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ctd") / "CTD_small.csv"
    lines = ["# Fields:", "# GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs"]
    lines += [
        f"GENE{gene},{gene},Disease {disease},MESH:D{disease},{evidence},,1"
        for gene in range(1, 31)
        for disease in range(1, 31)
        if (gene * disease) % 5 == 1
        for evidence in ["therapeutic" if gene % 3 else "marker/mechanism"]
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


# The command itself


def test_importing_the_command_imports_nothing_heavy() -> None:
    program = f"import sys, bioft.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_and_version_import_nothing_heavy_either() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom bioft.cli.main import app\n"
        "for arguments in (['--help'], ['--version'], ['build', '--help'], ['download', '--help'], ['recipes']):\n"
        "    assert CliRunner().invoke(app, arguments).exit_code == 0, arguments\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_help_names_every_command() -> None:
    found = bioft_command("--help")
    assert found.returncode == 0
    for command in ("build", "download", "recipes", "inspect", "predict", "doctor"):
        assert f" {command} " in found.stdout


def test_a_word_too_many_is_told_by_which_options_files_are_given() -> None:
    found = invoke("predict", "run", "notes.txt")
    assert found.exit_code == 2 and "unexpected extra argument (notes.txt)." in found.stderr
    assert "Other files and folders are given by --input, --output, --html" in found.stderr
    assert "unexpected extra argument (more)." in invoke("recipes", "list", "more").stderr


def test_version() -> None:
    found = bioft_command("--version")
    assert (found.returncode, found.stdout) == (0, f"bioft {bioft.__version__}\n")


def test_the_module_is_the_command() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "bioft", "--version"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert (found.returncode, found.stdout) == (0, f"bioft {bioft.__version__}\n")


def test_usage_errors_are_typers() -> None:
    assert bioft_command("build", "ctd").returncode == 2
    result = invoke("build", "hpo", "--output", "x", "--split", "gene")
    assert result.exit_code == 2
    assert "gene_held_out" in result.output


# Errors


def failing(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> Any:
    def fail() -> None:
        raise error

    monkeypatch.setattr(presets, "list_presets", fail)
    return invoke("recipes", "list")


def test_a_user_error_is_one_message_without_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    result = failing(BioftError("x.csv, line 3: 'Disease [bold]' is wrong"), monkeypatch)
    assert message(result) == "Error: x.csv, line 3: 'Disease [bold]' is wrong\n"


def test_names_in_data_can_not_write_to_the_terminal(tmp_path: Path) -> None:
    """Neither in tables nor in messages."""
    rows = "".join(
        f"Text number {n} {'x' * n},{'yes' if n % 2 else chr(27) + '[31mno' + chr(0x9B)}\n" for n in range(30)
    )
    (tmp_path / "own.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    built = invoke("build", "labels", tmp_path / "own.csv", "--output", tmp_path / "own")
    assert built.exit_code == 0, built.output
    shown = invoke("inspect", tmp_path / "own")
    refused = invoke("build", "labels", tmp_path / "own.csv", "--label-column", "\x1b[31m", "--output", tmp_path / "b")
    assert refused.exit_code == 1 and "[31mno" in built.output + shown.output
    assert all("\x1b[31m" not in its.output and "\x9b" not in its.output for its in (built, shown, refused))


def test_a_full_disk_is_told_with_the_free_space(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "not" / "there.parquet"))
    assert "MB free" in message(failing(full, monkeypatch))
    wrapped = RuntimeError("dataset generation failed")
    wrapped.__cause__ = full
    told = message(failing(wrapped, monkeypatch))
    assert "No space left" in told
    assert str(tmp_path / "not" / "there.parquet") in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_really_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write() -> None:
        with Path("/dev/full").open("w") as file:
            file.write("x" * 100_000)

    monkeypatch.setattr(presets, "list_presets", write)
    assert "No space left" in message(invoke("recipes", "list"))


def test_a_missing_permission_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = message(failing(PermissionError(errno.EACCES, "Permission denied", str(tmp_path)), monkeypatch))
    assert f"No permission for {tmp_path}" in told


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    result = failing(KeyError("bug"), monkeypatch)
    assert isinstance(result.exception, KeyError)


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failing(KeyboardInterrupt(), monkeypatch).exit_code == 130


@pytest.mark.skipif(os.name != "posix", reason="signals as on POSIX")
def test_a_real_interrupt_ends_with_130_and_no_traceback() -> None:
    program = (
        "import os, signal\nfrom bioft.training import presets\nfrom bioft.cli.main import app\n"
        # A shell without job control starts background jobs with SIGINT ignored, and children inherit that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"presets.list_presets = lambda: os.kill(os.getpid(), {int(signal.SIGINT)})\n"
        "app(['recipes', 'list'])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert found.returncode == 130
    assert "Traceback" not in found.stderr


# build


def test_build_writes_the_dataset_its_card_and_prints_the_audit(ctd_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "ctd"
    result = invoke("build", "ctd", ctd_file, "--output", out, "--negatives", "uniform", "--seed", "3")
    assert result.exit_code == 0, result.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["arguments"]["negatives"] == "uniform"
    assert manifest["seed"] == 3
    assert (out / "README.md").read_text().startswith("---\n")
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "manifest.json",
        "train.parquet",
        "validation.parquet",
        "test.parquet",
    }
    for counts in manifest["rows"].values():
        assert f"{counts['positive']:,}" in result.output
    for shortcut in manifest["audit"]["shortcuts"]:
        assert f"{shortcut['auroc']:.3f}" in result.output
    assert "No leakage found" in result.output


def test_build_options_reach_the_builder(ctd_file: Path, tmp_path: Path) -> None:
    arguments = ["--evidence", "therapeutic", "--negatives-per-positive", "2", "--split", "gene_held_out"]
    sizes = ["--validation-size", "0.15", "--test-size", "0.3", "--negatives", "uniform"]
    result = invoke("build", "ctd", ctd_file, "--output", tmp_path / "x", *arguments, *sizes)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert found["arguments"] == {
        "evidence": ["therapeutic"],
        "split": "gene_held_out",
        "negatives": "uniform",
        "negatives_per_positive": 2,
        "validation_size": 0.15,
        "test_size": 0.3,
        "seed": 0,
    }
    assert found["rows"]["train"]["negative"] == 2 * found["rows"]["train"]["positive"]


def test_build_never_overwrites_silently(ctd_file: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "--overwrite" in message(invoke("build", "ctd", ctd_file, "--output", tmp_path))
    # Not even with --overwrite: this is no dataset.
    assert "not overwritten" in message(invoke("build", "ctd", ctd_file, "--output", tmp_path, "--overwrite"))
    for more in ([], ["--overwrite"]):
        assert "is a file. Name a folder." in message(invoke("build", "ctd", ctd_file, "--output", ctd_file, *more))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_build_overwrites_an_inspected_dataset(ctd_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "ctd"
    assert invoke("build", "ctd", ctd_file, "--output", out).exit_code == 0
    assert invoke("inspect", out).exit_code == 0
    assert "--overwrite" in message(invoke("build", "ctd", ctd_file, "--output", out, "--seed", "1"))
    assert json.loads((out / "manifest.json").read_text())["seed"] == 0
    result = invoke("build", "ctd", ctd_file, "--output", out, "--seed", "1", "--overwrite")
    assert result.exit_code == 0, result.output
    assert json.loads((out / "manifest.json").read_text())["seed"] == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "does not exist"),
        (b"", "is empty"),
        (b"\x1f\x8b\x08\x00", "truncated"),
        (b"name,age\nA,1\n", "name, age"),
    ],
)
def test_build_with_a_bad_file(tmp_path: Path, content: bytes | None, told: str) -> None:
    path = tmp_path / "bad.csv"
    if content is not None:
        path.write_bytes(content)
    assert told in message(invoke("build", "ctd", path, "--output", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(seed: int, ctd_file: Path, tmp_path: Path) -> None:
    result = invoke("build", "ctd", ctd_file, "--output", tmp_path / "out", "--seed", seed)
    assert result.exit_code == 2 and "Invalid value for '--seed'" in result.output
    assert not (tmp_path / "out").exists()


def test_no_command_takes_a_negative_seed() -> None:
    def seeds(command: Any) -> list[Any]:
        # A hidden one is of an earlier version, and changes nothing.
        found = [option for option in command.params if option.name == "seed" and not option.hidden]
        below = command.list_commands(None) if hasattr(command, "list_commands") else ()
        return found + [each for name in below for each in seeds(command.get_command(None, name))]

    found = seeds(typer.main.get_command(app))
    assert len(found) > 10
    assert {(each.min, each.max) for each in found} == {(0, 2**32 - 1)}


def test_build_hpo_needs_no_file(tmp_path: Path, part_of_hpo: Path) -> None:
    result = invoke("build", "hpo", "--output", tmp_path / "hpo", "--split", "both_held_out")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "hpo" / "manifest.json").read_text())["builder"] == "hpo"


@pytest.fixture(scope="module")
def pubtator_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pubtator") / "own.txt"
    path.write_text(
        "".join(
            f"{n}|t|Drug{n:02d} causes illness.\n{n}|a|Nothing more.\n{n}\t0\t6\tDrug{n:02d}\tChemical\tC{n}\n\n"
            for n in range(20)
        )
    )
    return path


def test_build_from_pubtator_and_inspect(pubtator_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "own"
    result = invoke("build", "pubtator", pubtator_file, "--output", out, "--test-size", "0.25", "--seed", "3")
    assert result.exit_code == 0, result.output
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["arguments"] == {"skip_bad": False, "validation_size": 0.1, "test_size": 0.25, "seed": 3}
    assert manifest["rows"]["test"] == {"documents": 5, "Chemical": 5}
    assert "20 documents" in (out / "README.md").read_text()
    result = invoke("inspect", out)
    assert result.exit_code == 0, result.output
    assert "Most frequent Chemical concepts" in result.output


def test_build_from_a_wrong_pubtator_file(pubtator_file: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(pubtator_file.read_text().replace("7\t0\t6\tDrug07", "7\t1\t7\tDrug07"))
    out = tmp_path / "own"
    assert "wrong.txt, document 7, line 31: the mention" in message(
        invoke("build", "pubtator", wrong, "--output", out)
    )
    assert not out.exists()
    result = invoke("build", "pubtator", wrong, "--output", out, "--skip-bad")
    assert result.exit_code == 0, result.output
    assert "all: 1 document left out. First:" in " ".join(result.output.split())
    assert "in them: 1 document." in (out / "README.md").read_text()
    assert "give three" in message(invoke("build", "pubtator", wrong, wrong, "--output", tmp_path / "x"))


@pytest.mark.parametrize(
    ("corpus", "path", "options", "arguments"),
    [
        ("bc5cdr", "bc5cdr", [], {"skip_bad": False}),
        (
            "chemdisgene",
            "chemdisgene/test.anno_all.json.gz",
            ["--relation-types", "all", "--seed", "1"],
            {"relation_types": "all", "skip_bad": False, "validation_size": 0.1, "test_size": 0.2, "seed": 1},
        ),
    ],
)
def test_build_corpora(
    shared_data: Path, tmp_path: Path, corpus: str, path: str, options: list[str], arguments: dict[str, Any]
) -> None:
    result = invoke("build", corpus, shared_data / path, "--output", tmp_path / "x", *options)
    assert result.exit_code == 0, result.output
    manifest = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert manifest["arguments"] == arguments
    assert ("not comparable" in " ".join(result.output.split())) == (corpus == "chemdisgene")


# download


def test_download_corpora(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from bioft.datasets import download

    calls: list[Any] = []
    monkeypatch.setattr(download, "download", lambda *call: calls.append(call) or tmp_path / "CDR_Data.zip")
    assert str(tmp_path / "CDR_Data.zip") in invoke("download", "bc5cdr", "--output", tmp_path).output
    assert calls == [("bc5cdr", tmp_path)]
    calls.clear()
    assert invoke("download", "chemdisgene", "--output", tmp_path).exit_code == 0
    assert {folder for _, folder in calls} == {tmp_path / "curated"}
    assert invoke("download", "chemdisgene", "--output", tmp_path, "--training").exit_code == 0
    assert {folder for _, folder in calls} == {tmp_path / "curated", tmp_path / "ctd_derived"}


@pytest.mark.parametrize(("option", "name"), [([], "ctd"), (["--inferred"], "ctd-inferred")])
def test_download(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, option: list[str], name: str) -> None:
    from bioft.datasets import download

    calls = []
    monkeypatch.setattr(download, "download", lambda *call: calls.append(call) or tmp_path / "x.csv.gz")
    result = invoke("download", "ctd", "--output", tmp_path, *option)
    assert calls == [(name, tmp_path)]
    assert str(tmp_path / "x.csv.gz") in result.output


# inspect


def test_inspect(ctd_file: Path, tmp_path: Path) -> None:
    assert invoke("build", "ctd", ctd_file, "--output", tmp_path / "ctd").exit_code == 0
    result = invoke("inspect", tmp_path / "ctd", "--output", tmp_path / "report", "--top", "3")
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "report" / "inspection" / "inspection.json").read_text())
    assert len(report["most_frequent"]["gene"]) == 3
    assert report["most_frequent"]["gene"][0]["name"] in result.output


def test_inspect_what_is_no_dataset(tmp_path: Path) -> None:
    assert "bioft build" in message(invoke("inspect", tmp_path))


def test_inspect_an_edited_dataset(ctd_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "ctd"
    assert invoke("build", "ctd", ctd_file, "--output", out).exit_code == 0
    (out / "test.parquet").write_bytes((out / "train.parquet").read_bytes())
    assert "test.parquet" in message(invoke("inspect", out))


# recipes


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "recipes" / "configs" / "sft_gda"
    folder.mkdir(parents=True)
    (folder / "default.yaml").write_text("# SmolLM2 on HPO\nseed: 0\n", encoding="utf-8")
    (folder / "llama3_8b.yaml").write_text("# Llama 3 [8B] on CTD\nseed: 1\n", encoding="utf-8")
    monkeypatch.setattr(presets, "recipes_directory", lambda: tmp_path / "recipes")
    return folder


@pytest.mark.parametrize("arguments", [["recipes"], ["recipes", "list"]])
def test_recipes_list(recipes: Path, arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert "llama3_8b" in result.output
    assert "Llama 3 [8B] on CTD" in result.output


def test_recipes_show_prints_the_file_as_it_is(recipes: Path) -> None:
    assert invoke("recipes", "show", "sft_gda", "llama3_8b").stdout == "# Llama 3 [8B] on CTD\nseed: 1\n"
    assert invoke("recipes", "show", "sft_gda").stdout == "# SmolLM2 on HPO\nseed: 0\n"


def test_recipes_copy(recipes: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.yaml"
    assert invoke("recipes", "copy", "sft_gda", "default", "-o", target).exit_code == 0
    target.write_text("changed: 1\n")
    assert "--overwrite" in message(invoke("recipes", "copy", "sft_gda", "default", "-o", target))
    assert target.read_text() == "changed: 1\n"
    assert invoke("recipes", "copy", "sft_gda", "default", "-o", target, "--overwrite").exit_code == 0
    assert target.read_text() == "# SmolLM2 on HPO\nseed: 0\n"
    old = invoke("recipes", "copy", "sft_gda", "default", tmp_path / "old.yaml")
    assert old.exit_code == 0 and "--output" in old.stderr and (tmp_path / "old.yaml").is_file()


def test_unknown_preset_and_recipe(recipes: Path) -> None:
    assert "Did you mean 'llama3_8b'?" in message(invoke("recipes", "show", "sft_gda", "llama3"))
    assert "Did you mean 'sft_gda'?" in message(invoke("recipes", "copy", "sft-gda"))


def test_the_shipped_presets_are_listed_in_a_process_of_its_own() -> None:
    found = bioft_command("recipes", "list")
    assert found.returncode == 0, found.stderr
    for preset in presets.list_presets():
        assert preset.name in found.stdout


# predict


@pytest.fixture
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the record of a run, and nothing else."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "run.json").write_text('{"schema_version": 1, "task": "gene-disease-association"}')
    return folder


@pytest.fixture
def predictor(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Stands for the model: the score is the share of letters in the gene's name; records its calls."""
    calls: list[Any] = []

    def predict_pairs(run: Path, pairs: list[tuple[str, str]], batch_size: int) -> list[dict[str, Any]]:
        calls.append((run, pairs, batch_size))
        scores = [sum(letter.isalpha() for letter in gene) / len(gene) for gene, _ in pairs]
        return [
            {"gene": gene, "disease": disease, "score": score, "threshold": 0.9, "prediction": int(score >= 0.9)}
            for (gene, disease), score in zip(pairs, scores, strict=True)
        ]

    module = types.ModuleType("bioft.tasks.gene_disease.predict")
    module.predict_pairs = predict_pairs  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bioft.tasks.gene_disease.predict", module)
    return calls


def test_predict_one_pair(predictor: list[Any], run: Path, tmp_path: Path) -> None:
    result = invoke("predict", run, "--gene", "BRCA1", "--disease", "Breast Neoplasms", "--batch-size", 4)
    assert result.stdout == "BRCA1 – Breast Neoplasms: score 0.8000, not associated (threshold 0.9000)\n"
    assert predictor == [(run, [("BRCA1", "Breast Neoplasms")], 4)]
    assert ", associated" in invoke("predict", run, "--gene", "EGFR", "--disease", "x").stdout


def test_predict_a_file_keeps_its_columns_and_rows(predictor: list[Any], run: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "pairs.csv", tmp_path / "out.csv"
    # As a spreadsheet saves it: byte order mark, CRLF, quoted comma, a column of its own.
    text = 'note,disease,gene\r\nä,"Arthritis, Gouty",BRCA1\r\n,Glioma,EGFR\r\n'
    source.write_bytes(text.encode("utf-8-sig"))
    result = invoke("predict", run, "--input", source, "--output", output)
    assert result.exit_code == 0, result.output
    with output.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {
            "note": "ä",
            "disease": "Arthritis, Gouty",
            "gene": "BRCA1",
            "score": "0.8",
            "threshold": "0.9",
            "prediction": "0",
        },
        {"note": "", "disease": "Glioma", "gene": "EGFR", "score": "1.0", "threshold": "0.9", "prediction": "1"},
    ]
    assert predictor[0][1] == [("BRCA1", "Arthritis, Gouty"), ("EGFR", "Glioma")]


def test_predict_never_overwrites_silently(predictor: list[Any], run: Path, tmp_path: Path) -> None:
    source, output = tmp_path / "pairs.csv", tmp_path / "out.csv"
    source.write_text("gene,disease\nEGFR,Glioma\n")
    output.write_text("mine")
    assert "--overwrite" in message(invoke("predict", run, "-i", source, "-o", output))
    assert output.read_text() == "mine"
    assert not predictor  # told before the work, not after it
    assert invoke("predict", run, "-i", source, "-o", output, "--overwrite").exit_code == 0
    assert output.read_text().startswith("gene,disease,score,threshold,prediction\n")
    assert "the input itself" in message(invoke("predict", run, "-i", source, "-o", source, "--overwrite"))
    assert "does not exist" in message(invoke("predict", run, "-i", source, "-o", tmp_path / "no" / "o.csv"))
    assert "o.jsonl is no .csv" in message(invoke("predict", run, "-i", source, "-o", tmp_path / "o.jsonl"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"gene;illness\nA;B\n", "no column disease. Columns found in line 1, separated by semicolons: gene, illness"),
        (b"symbol,disease\nA,B\n", "no column gene. Columns found in line 1, separated by commas: symbol, disease"),
        (b"gene,disease\n", "no rows"),
        (b"gene,disease\nA,B\n,B\nA,B\n  ,B\n", "column gene is empty in line 3, 5"),
        (b"gene,disease\n" + b"A,\n" * 30, "line 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 20 more"),
        (b"gene,disease\nA,B\nA,B, chronic\n", "line 3: 3 fields where the header has 2"),
        (b"gene,disease\nA,B\nA\n", "line 3: 1 fields where the header has 2"),
        (b'gene,disease\nA,"B\n', "line 2: not a row of a table"),
        (b"gene,disease\nA,caf\xe9\n", "not UTF-8"),
        (b"gene,disease,score\nA,B,1\n", "a column score already"),
        (b"gene,disease,gene\nA,B,C\n", "two columns of one name"),
    ],
)
def test_predict_with_a_bad_file(predictor: list[Any], run: Path, tmp_path: Path, content: bytes, told: str) -> None:
    source = tmp_path / "pairs.csv"
    source.write_bytes(content)
    assert told in message(invoke("predict", run, "-i", source, "-o", tmp_path / "out.csv"))
    assert not predictor
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


def test_predict_without_input(predictor: list[Any], run: Path, tmp_path: Path) -> None:
    absent = tmp_path / "absent.csv"
    assert f"{absent} does not exist" in message(invoke("predict", run, "-i", absent, "-o", "out.csv"))
    assert "is a directory" in message(invoke("predict", run, "-i", tmp_path, "-o", "out.csv"))
    for arguments in (
        [],
        ["--gene", "EGFR"],
        ["--input", "x.csv"],
        ["--gene", "EGFR", "--disease", "x", "--output", "out.csv"],
        ["--gene", "", "--disease", "x"],
    ):
        assert invoke("predict", run, *arguments).exit_code == 2, arguments


def test_predict_with_what_is_no_run(tmp_path: Path) -> None:
    pair = ["--gene", "BRCA1", "--disease", "Breast Neoplasms"]
    assert "run.json" in message(invoke("predict", tmp_path, *pair))
    (tmp_path / "run.json").write_text("{")
    assert "not a run record" in message(invoke("predict", tmp_path, *pair))


def test_predict_refuses_what_is_no_question_for_the_run(run: Path) -> None:
    found = invoke("predict", run, "--text", "Naloxone.")
    assert found.exit_code == 2 and "--text is no question" in found.output
    (run / "run.json").write_text('{"schema_version": 1, "task": "text-retrieval"}')
    assert "bioft index" in message(invoke("predict", run, "--text", "Naloxone."))


def test_a_failed_prediction_leaves_no_file(
    predictor: list[Any], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = tmp_path / "pairs.csv"
    source.write_text("gene,disease\nEGFR,Glioma\n")
    monkeypatch.setattr(csv.DictWriter, "writerows", full)
    assert "No space left" in message(invoke("predict", run, "-i", source, "-o", tmp_path / "out.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


# doctor


def test_doctor_json_in_a_process_of_its_own() -> None:
    found = bioft_command("doctor", "--json")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert {check["section"] for check in report["checks"]} == {"hardware", "packages", "Hub", "weights here"}
    assert all(check["status"] in ("ok", "note") for check in report["checks"])
    (four_bit,) = (check["found"] for check in report["checks"] if check["name"] == "bitsandbytes (4-bit)")
    assert "works on" in four_bit


def test_doctor_table_and_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from bioft.cli import doctor

    checks = [doctor.Check("packages", "torch", "missing", "not installed", "pip install torch")]
    monkeypatch.setattr(doctor, "check_all", lambda: checks)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert "pip install torch" in result.output
