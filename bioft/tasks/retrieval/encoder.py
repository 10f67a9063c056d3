"""Contrastive training of text encoders: the model, what each loss is fed with, and the batches."""

import json
import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from peft import PeftModel, get_peft_model
from rich.text import Text
from sentence_transformers import SentenceTransformer, SentenceTransformerTrainingArguments
from sentence_transformers.base.modules import Transformer
from sentence_transformers.base.sampler import DefaultBatchSampler
from sentence_transformers.sentence_transformer import losses
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoModel
from trl import ModelConfig

from bioft.datasets.options import argument
from bioft.datasets.pair_audit import RELATED
from bioft.errors import BioftError
from bioft.models import base as models, dry_run, embedded, lora, precision
from bioft.models.arguments import EncoderPrecision
from bioft.storage import runs
from bioft.tasks.entities import windows
from bioft.tasks.retrieval import TASKS

logger = logging.getLogger(__name__)

SCORED_LOSSES = ("CosineSimilarityLoss", "ContrastiveLoss", "OnlineContrastiveLoss")
"""Losses that take two texts and a score."""
RANKING_LOSSES = ("MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss")
"""Losses that take anchor and positive (and negative); the other texts of a batch are negatives too."""
MINED = "negative_"
"""What the columns of mined negatives are called, before their number."""
LIBRARY_FILES = ("modules.json", "1_Pooling/config.json", "config_sentence_transformers.json")
"""By which Sentence Transformers loads an encoder; bioft reads none of them."""
LENGTHS = {"sentence_bert_config.json": "max_seq_length", "tokenizer_config.json": "model_max_length"}
"""By which it knows how many tokens of a text are read: what the first of them says."""


@dataclass
class ContrastiveArguments:
    """What the encoder learns by."""

    loss: str = argument("MultipleNegativesRankingLoss", ", ".join((*SCORED_LOSSES, *RANKING_LOSSES)) + ".")
    margin: float = argument(0.5, "Cosine distance that unrelated texts must have (contrastive losses).")
    scale: float = argument(20.0, "Inverse temperature of the ranking losses.")
    mini_batch_size: int = argument(32, "Texts in memory at once, with CachedMultipleNegativesRankingLoss.")
    matryoshka_dimensions: list[int] | None = field(
        default=None, metadata={"help": "Train the first N dimensions of an embedding as well, for each N."}
    )
    hard_negatives: int = argument(
        0, "Negatives of each pair that the base model takes for positives (ranking losses)."
    )
    hard_negatives_margin: float = argument(
        0.05, "By what share a mined negative must be less similar to its anchor than each positive."
    )
    hard_negatives_max_score: float | None = argument(None, "Cosine that a mined negative has at most.")
    max_length: int = argument(128, "Tokens of a text; what is longer is cut off.")
    trained_layers: int | None = argument(None, "Train the last N layers of the encoder only, which saves time.")

    def __post_init__(self) -> None:
        """Refuse a loss that is not known; one of scores takes no mined negatives, which the default preset has."""
        if self.loss not in (*SCORED_LOSSES, *RANKING_LOSSES):
            raise ValueError(f"loss is one of {', '.join((*SCORED_LOSSES, *RANKING_LOSSES))}, not {self.loss!r}")
        if self.hard_negatives < 0:
            raise ValueError(f"hard_negatives is a number of texts, not {self.hard_negatives}")
        if self.hard_negatives and self.loss in SCORED_LOSSES:
            logger.warning("%s learns from the scores of pairs: no negatives are mined.", self.loss)
            self.hard_negatives = 0


@dataclass
class ContrastiveTrainingArguments(EncoderPrecision, SentenceTransformerTrainingArguments):
    """The arguments of the trainer of Sentence Transformers, with the type that the encoder computes in."""

    @property
    def evaluated_in(self) -> str:
        """Rankings are made in float32: in bfloat16 near texts change places, otherwise on each processor."""
        return "float32"


def load_model(base: embedded.BaseModel, args: ContrastiveArguments) -> SentenceTransformer:
    """Load an encoder with mean pooling, in float32; BioftError: it can't be, or has too few layers or dimensions."""
    model = _with_mean_pooling(base.path, args.max_length, base.hub_revision)
    dimensions = model.get_embedding_dimension() or 0
    if any(not 0 < each <= dimensions for each in args.matryoshka_dimensions or ()):
        raise BioftError(f"matryoshka_dimensions: {base.id} has {dimensions} dimensions; give numbers up to that.")
    if args.trained_layers is not None:
        lora.freeze_lower_layers(model[0].model, args.trained_layers)
    model.model_card_data.widget = [{}]  # else the trainer looks for examples for a card that nobody sees
    return model


def add_adapter(model: SentenceTransformer, model_args: ModelConfig) -> None:
    """Put a LoRA adapter on the encoder; only its weights are trained from then on."""
    model[0].model = get_peft_model(model[0].model, lora.lora_config(model[0].model, model_args, "FEATURE_EXTRACTION"))


def save(model: SentenceTransformer, base: embedded.BaseModel, directory: Path) -> None:
    """Save the encoder, or its adapter, with pooling and tokenizer; an adapter names its base by Hub id and commit."""
    encoder = model[0].model
    if isinstance(encoder, PeftModel):
        config = encoder.peft_config["default"]
        config.base_model_name_or_path, config.revision = base.id, base.revision
    model.save(str(directory), create_model_card=False)
    (directory / runs.CARD).unlink(missing_ok=True)  # PEFT's card says nothing about this run


def load_run(directory: str | Path, dtype: torch.dtype | None = None) -> tuple[SentenceTransformer, dict[str, Any]]:
    """The encoder of a finished run on texts or names, and its record: the rest is as of `entities.predict.load`."""
    directory, record = Path(directory), runs.read_trained(directory, *TASKS)
    if (directory / "adapter_config.json").is_file():
        base = models.resolve_recorded(record["base_model"])
        model = _with_mean_pooling(base.path, record["contrastive"]["max_length"], base.hub_revision)
        model[0].model = models.load_adapter(model[0].model, directory)
    else:
        models.load_encoder(models.saved_by(directory), AutoModel)  # says what is missing, which the next does not
        model = _with_mean_pooling(str(directory), record["contrastive"]["max_length"], None)
    return model.to(models.local_device(), dtype or precision.of_run(record)).eval(), record


def check_library_files(directory: Path) -> list[str]:
    """Which files of a run would give Sentence Transformers another encoder than `load_run` gives: pooling, prompts.

    Only what both have is compared: other versions write more.
    """
    if not (kept := [name for name in LIBRARY_FILES if (directory / name).is_file()]):
        return []
    model, _ = load_run(directory)
    with tempfile.TemporaryDirectory() as place:
        model.save(place, create_model_card=False)
        others = [
            f"{name} is not that of this encoder: others would load another."
            for name in kept
            if _differ(_json(Path(place) / name), _json(directory / name))
        ]
    return [*_read_otherwise(directory, model), *others]


def _read_otherwise(directory: Path, model: SentenceTransformer) -> list[str]:
    """Why others would read texts longer, shorter or in lower case."""
    found = {name: _json(path) or {} for name in LENGTHS if (path := directory / name).is_file()}
    lengths = [its[key] for name, key in LENGTHS.items() if (its := found.get(name, {})).get(key) is not None]
    if any(its.get("do_lower_case") and "tokenizer" not in name for name, its in found.items()):
        return ["sentence_bert_config.json has others read texts in lower case."]
    if lengths[:1] in ([], [model.max_seq_length]):
        return []
    return [f"Others would read {lengths[0]} tokens of a text, and not {model.max_seq_length}."]


def _differ(ours: Any, stated: Any, key: str = "") -> bool:
    if isinstance(ours, dict) and isinstance(stated, dict):
        return any(_differ(ours[each], stated[each], each) for each in ours.keys() & stated.keys() - {"__version__"})
    if isinstance(ours, list) and isinstance(stated, list):
        return len(ours) != len(stated) or any(map(_differ, ours, stated))
    if key == "type":  # classes have moved between modules
        ours, stated = (str(each).rpartition(".")[2] for each in (ours, stated))
    return bool(ours != stated)


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return None


def load_base(record: Mapping[str, Any], dtype: torch.dtype | None = None) -> SentenceTransformer:
    """The encoder that a run was trained from, as `load_run` gives the run's; BioftError if it can't be had."""
    base = models.resolve_recorded(record["base_model"])
    model = _with_mean_pooling(base.path, record["contrastive"]["max_length"], base.hub_revision)
    return model.to(models.local_device(), dtype or precision.of_run(record)).eval()


def _with_mean_pooling(path: str, max_length: int, revision: str | None) -> SentenceTransformer:
    options = {"revision": revision} if revision else {}
    with models.loading(path):
        encoder = Transformer(
            path,
            model_kwargs={"dtype": torch.float32, **options},
            config_kwargs=options,
            processor_kwargs=options,
            max_seq_length=max_length,
        )
    encoder.max_seq_length = windows.input_length(encoder.tokenizer, encoder.model, max_length, path)
    return SentenceTransformer(modules=[encoder, Pooling(encoder.get_embedding_dimension(), "mean")], device="cpu")


def training_rows(rows: Dataset, loss: str, seed: int) -> Dataset:
    """Return the rows of a pair dataset as a loss takes them, and the column group.

    Ranking losses get anchor, positive and, where the data has any, negative. The others get sentence1, sentence2 and
    score: positives have score 1, negatives 0, and a positive without a negative is joined by one with a text of
    another group.
    """
    scored = "score" in rows.column_names
    if loss in RANKING_LOSSES:
        if not scored:
            return rows.select_columns([c for c in ("anchor", "positive", "negative", "group") if c in rows.features])
        if min(rows["score"]) < RELATED:
            from bioft.datasets.metabolites.pairs import triplets

            joined = triplets(rows.map(lambda row: {"score": int(row["score"] >= RELATED)}))
            rows = rows.filter(lambda row: row["score"] >= RELATED)
            # Where few positives have a negative of the same first text, the other texts of a batch are negatives.
            if 2 * len(joined) >= len(rows):
                return joined
        return Dataset.from_dict(
            {"anchor": rows["sentence1"][:], "positive": rows["sentence2"][:], "group": rows["group"][:]}
        )
    if scored:
        kept = rows.select_columns(["sentence1", "sentence2", "score", "group"]).to_dict()
        return Dataset.from_dict(kept | {"score": [float(score) for score in kept["score"]]})
    anchors, positives, groups = (rows[column][:] for column in ("anchor", "positive", "group"))
    negatives = rows["negative"][:] if "negative" in rows.features else _of_other_groups(positives, groups, seed)
    return Dataset.from_dict(
        {
            "sentence1": [*anchors, *anchors],
            "sentence2": [*positives, *negatives],
            "score": [1.0] * len(anchors) + [0.0] * len(anchors),
            "group": [*groups, *groups],
        }
    )


def _of_other_groups(texts: list[str], groups: list[str], seed: int) -> list[str]:
    """For each row a text of another group, drawn at random."""
    if len(set(groups)) < 2:
        raise BioftError("All pairs are of one group: there is nothing to tell them apart from.")
    rng = np.random.default_rng(seed)
    drawn = []
    for group in groups:
        index = int(rng.integers(len(texts)))
        while groups[index] == group:
            index = int(rng.integers(len(texts)))
        drawn.append(texts[index])
    return drawn


def make_loss(model: SentenceTransformer, args: ContrastiveArguments) -> torch.nn.Module:
    """Return the loss that the arguments name, wrapped for Matryoshka dimensions where there are any."""
    options: dict[str, Any] = {}
    if args.loss in ("ContrastiveLoss", "OnlineContrastiveLoss"):
        options["margin"] = args.margin
    elif args.loss in RANKING_LOSSES:
        options["scale"] = args.scale
        if args.loss.startswith("Cached"):
            options["mini_batch_size"] = args.mini_batch_size
    loss = getattr(losses, args.loss)(model, **options)
    if args.matryoshka_dimensions:
        loss = losses.MatryoshkaLoss(model, loss, matryoshka_dims=sorted(args.matryoshka_dimensions, reverse=True))
    return loss


class GroupBatches(DefaultBatchSampler):
    """Batches in which no group and no text occurs twice, so that no positive serves as a negative.

    With mined negatives neither do their groups, nor any positive of an anchor beside its own row.

    Rows that don't fit into a batch wait for the next one; the last batches may be small.
    """

    def __init__(self, dataset: Dataset, groups: Mapping[str, str], **options: Any) -> None:
        super().__init__(dataset, **options)
        columns = [name for name in ("anchor", "positive", "negative") if name in dataset.column_names]
        texts = list(zip(*(dataset[name][:] for name in columns), strict=True))
        # A text and a group can't be mistaken for each other: groups are marked.
        self.keys = [{*each, f"\n{groups[each[0]]}"} for each in texts]
        if mined := [dataset[name][:] for name in dataset.column_names if name.startswith(MINED)]:
            positives: dict[str, set[str]] = {}
            for anchor, positive, *_ in texts:
                positives.setdefault(anchor, set()).add(positive)
            for keys, (anchor, *_), negatives in zip(self.keys, texts, zip(*mined, strict=True), strict=True):
                keys |= {
                    *negatives,
                    *positives[anchor],
                    *(f"\n{groups[each]}" for each in negatives if each in groups),
                }

    def __iter__(self) -> Iterator[list[int]]:
        """Yield batches of row indices, in an order that the seed and the epoch decide."""
        if self.generator is not None:
            self.generator.manual_seed(self.seed + self.epoch)
        waiting = torch.randperm(len(self.keys), generator=self.generator).tolist()
        while waiting:
            batch, left, used = [], [], set[str]()
            for position, index in enumerate(waiting):
                if not used.isdisjoint(self.keys[index]):
                    left.append(index)
                    continue
                batch.append(index)
                used |= self.keys[index]
                if len(batch) == self.batch_size:
                    left += waiting[position + 1 :]
                    break
            waiting = left
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self) -> int:
        """The number of batches, of which those at the end may be more where groups are large."""
        return len(self.keys) // self.batch_size if self.drop_last else -(-len(self.keys) // self.batch_size)


def group_batches(args: ContrastiveTrainingArguments, loss: str, *splits: Dataset) -> list[Dataset]:
    """Make the trainer draw batches with one row of a group each, for ranking losses; return the splits to train on.

    The column group itself is taken out: the trainer would take it for a text.
    """
    if loss in RANKING_LOSSES:
        groups = {
            text: group
            for column in ("positive", "anchor")  # of a text that is both, that of the rows that it leads
            for split in splits
            for text, group in zip(split[column], split["group"], strict=True)
        }
        args.batch_sampler = partial(GroupBatches, groups=groups)
    return [split.remove_columns("group") for split in splits]


def report(trainer: Any) -> None:
    """Print what a dry run shows: two examples, parameters, steps and memory."""
    model, rows = trainer.model, trainer.train_dataset
    columns = [name for name in rows.column_names if name != "score"]

    def tokens(batch: Mapping[str, Any]) -> dict[str, list[int]]:
        lengths = [
            [len(ids) for ids in model.tokenizer(batch[name], truncation=True)["input_ids"]] for name in columns
        ]
        return {"length": [sum(each) for each in zip(*lengths, strict=True)]}

    lengths = rows.map(tokens, batched=True, desc="Tokens")
    shown = SimpleNamespace(model=model[0].model, args=trainer.args, train_dataset=lengths)
    dry_run.report(shown, show=lambda trainer, index: _shown(rows[index]))


def _shown(row: Mapping[str, Any]) -> Text:
    return Text("\n").join(Text(f"{name}: {value}", style="green underline") for name, value in row.items())
