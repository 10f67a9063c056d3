"""Make the golden runs: `python tests/golden/make.py` in a checkout of the commit before the move (28e16ff).

Every run is of a few steps on a model of some thousand parameters, so that all of it fits beside the tests: base
model, data, run directory, and what `verify`, `compare` and `analyze` of that commit said about it. Only the plots are
left out of a run and of its record.
"""

import json
import re
import runpy
import shutil
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from typer.testing import CliRunner

# As these modules were named then.
cards, cli, joint, runs = (import_module(f"bioft.{name}") for name in ("cards", "cli", "joint", "runs"))
hpo, hpo_definitions, hpo_synonyms, sample, stop_reasons, storage = (
    import_module(f"bioft.datasets.{name}")
    for name in ("hpo", "hpo_definitions", "hpo_synonyms", "sample", "stop_reasons", "storage")
)

HERE = Path("tests/golden")
COMMON = {
    "seed": 0, "use_cpu": True, "report_to": "none", "disable_tqdm": True, "warmup_steps": 0, "logging_steps": 2,
    "eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False,
}  # fmt: skip
ENCODER = COMMON | {"model_name_or_path": HERE / "models/bert", "learning_rate": 0.03}
RUNS = {
    "gene_disease": ("sft_gda", COMMON | {
        "model_name_or_path": HERE / "models/llama", "load_in_4bit": False, "dtype": "float32", "max_steps": 6,
        "dataset": "ctd", "dataset_path": HERE / "data/ctd.csv", "max_train_pairs": 48, "learning_rate": 0.05,
        "per_device_train_batch_size": 8, "validation_size": 0.1, "test_size": 0.2, "lora_r": 2,
    }),
    "entities": ("token_classification", ENCODER | {
        "dataset": "sample", "window_length": 64, "window_overlap": 16, "max_steps": 200,
        "per_device_train_batch_size": 8,
    }),
    "relations": ("sequence_classification", ENCODER | {
        "dataset": "sample", "max_length": 64, "max_steps": 80, "per_device_train_batch_size": 16,
    }),
    "joint": ("joint_ner_re", ENCODER | {
        "dataset": "sample", "window_length": 64, "window_overlap": 16, "max_steps": 200,
        "per_device_train_batch_size": 8,
    }),
    "text_labels": ("text_classification", ENCODER | {
        "dataset": "sample", "max_length": 32, "max_steps": 60, "per_device_train_batch_size": 16,
    }),
    "masked_lm": ("mlm", ENCODER | {
        "dataset": "trials", "dataset_path": HERE / "data/trials.json", "block_length": 48, "max_steps": 150,
        "per_device_train_batch_size": 8, "use_peft": False,
    }),
    "retrieval": ("contrastive", ENCODER | {
        "dataset": HERE / "data/pairs", "max_steps": 4, "per_device_train_batch_size": 16, "trained_layers": 1,
    }),
    "name_alignment": ("contrastive", ENCODER | {
        "config": "metabolites", "namespace": HERE / "data/names.tsv", "max_steps": 4,
        "per_device_train_batch_size": 16, "trained_layers": 1,
    }),
}  # fmt: skip
DATASETS = {
    "hpo": hpo.build, "sample": sample.build, "stop_reasons_sample": stop_reasons.build_sample,
    "hpo_definitions": hpo_definitions.build, "hpo_synonyms": hpo_synonyms.build,
}  # fmt: skip


def write_models() -> None:
    """A BERT and a Llama of one layer, with tokenizers of characters and some words."""
    words = Counter(re.findall(r"[a-z]+", sample.FILE.read_text(encoding="utf-8").lower()))
    pieces = [chr(code) for code in range(33, 127) if not 65 <= code <= 90]
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    frequent = sorted(word for word, n in words.items() if n > 4 and len(word) > 1)
    vocabulary = [*special, *pieces, *frequent, *(f"##{piece}" for piece in pieces)]
    tokenizer = Tokenizer(models.WordPiece({piece: i for i, piece in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    ends = [("[CLS]", 2), ("[SEP]", 3)]
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]", ends)
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=12, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=128, initializer_range=0.2, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    BertModel(config).save_pretrained(HERE / "models/bert")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=128, **names)
    fast.save_pretrained(HERE / "models/bert")

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<pad>", "<s>", "</s>", *alphabet, "es", "Ġy", "Ġyes", "Ġn", "Ġno"]
    merges = [("e", "s"), ("Ġ", "y"), ("Ġy", "es"), ("Ġ", "n"), ("Ġn", "o")]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>")
    llama = LlamaConfig(
        vocab_size=len(fast), hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0,
        initializer_range=0.2, tie_word_embeddings=True,
    )  # fmt: skip
    LlamaForCausalLM(llama).save_pretrained(HERE / "models/llama")
    fast.save_pretrained(HERE / "models/llama")


def write_data() -> None:
    """CTD's curated file in small, trial records, a namespace of metabolites, and 40 pairs of synonyms a split."""
    from datasets import DatasetDict

    from tests.metabolite_samples import write_namespace
    from tests.tiny import write_ctd

    data = HERE / "data"
    data.mkdir()
    write_ctd(data / "ctd.csv", n_genes=24, n_diseases=20, n_pairs=110)
    write_namespace(data / "names.tsv")
    documents = [row for split in sample.build()[0].values() for row in split][:80]
    studies = [
        {
            "protocolSection": {
                "identificationModule": {"nctId": f"NCT{number:08d}", "briefTitle": row["text"].split(".")[0]},
                "descriptionModule": {"briefSummary": row["text"]},
            }
        }
        for number, row in enumerate(documents)
    ]
    (data / "trials.json").write_text(json.dumps(studies))
    dataset, manifest = hpo_synonyms.build()
    small = DatasetDict({split: rows.select(range(40)) for split, rows in dataset.items()})
    manifest["fingerprints"] = {split: storage.fingerprint(rows) for split, rows in small.items()}
    manifest["rows"] = {split: {"pairs": len(rows)} for split, rows in small.items()}
    manifest["builder"] = "hpo_synonyms_in_small"  # the source gives other pairs
    storage.save(small, manifest, data / "pairs")


def make_relation_head_small() -> None:
    """The width of the joint model's relation head is part of its configuration, but no option of the recipe."""
    complete = joint.JointConfig.__init__

    def small(self: joint.JointConfig, *values: object, **named: object) -> None:
        complete(self, *values, **{"relation_hidden_size": 16} | named)

    joint.JointConfig.__init__ = small


def train(name: str) -> None:
    """Train a run by its command, and leave its plots out."""
    recipe, options = RUNS[name]
    directory = HERE / "runs" / name
    words = [f"--{key}={value}" for key, value in (options | {"output_dir": directory}).items()]
    if name == "joint":
        make_relation_head_small()
    sys.argv = [f"recipes/{recipe}.py", *words]
    runpy.run_path(sys.argv[0], run_name="__main__")
    shutil.rmtree(directory / "plots")
    record = json.loads((directory / runs.RECORD).read_text())
    record["files"] = {file: digest for file, digest in record["files"].items() if not file.startswith("plots/")}
    text = json.dumps(record, indent=1, ensure_ascii=False).replace(str(Path.cwd()), "/home/user/bioft")
    (directory / runs.RECORD).write_text(text + "\n")
    (directory / runs.CARD).write_text(cards.model_card(record))


def ask(name: str) -> None:
    """Keep what the commands say about a run."""
    run, place = HERE / "runs" / name, HERE / "said"
    place.mkdir(exist_ok=True)

    def bioft(*words: str) -> str:
        return CliRunner().invoke(cli.app, words).stdout

    verified = json.loads(bioft("verify", str(run), "--json"))
    found = {key: verified[key] for key in ("status", "reasons", "notes", "predictions")} | {"figures": {}}
    for figure in verified["figures"]:
        found["figures"].setdefault(figure["model"], {})[figure["metric"]] = figure["measured"]
    for command in ("compare", "analyze"):
        bioft(command, str(run), "--output", str(place / command))
        for file in sorted((place / command).rglob("*.csv")):
            found.setdefault(command, {})[file.name] = file.read_text()
        shutil.rmtree(place / command, ignore_errors=True)
    (place / f"{name}.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    steps = sys.argv[1:] or ["models", "data", "datasets", *RUNS]
    for step in steps:
        if step == "models":
            write_models()
        elif step == "data":
            write_data()
        elif step == "datasets":
            for name, build in DATASETS.items():
                dataset, manifest = build()
                storage.save(dataset, manifest, HERE / "datasets" / name)
                (HERE / "datasets" / name / "README.md").write_text(cards.dataset_card(manifest, dataset))
                for file in (HERE / "datasets" / name).glob("**/*.parquet"):
                    file.unlink()
        else:
            shutil.rmtree(HERE / "runs" / step, ignore_errors=True)
            train(step)
            ask(step)
