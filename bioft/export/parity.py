"""What is made of finished runs, merged or exported: its test examples and parity, its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import ModelCardData

from bioft import task as tasks
from bioft.cards import words as cards_words
from bioft.datasets.recorded import recorded_data
from bioft.errors import BioftError
from bioft.hub import pull
from bioft.storage import runs
from bioft.storage.files import file_sha256
from bioft.tasks.exported import Outputs, evenly
from bioft.verify.card import check_words
from bioft.verify.findings import Verification

ADAPTER = "adapter_model.safetensors"
WHOLE = "model.safetensors"


@dataclass(frozen=True)
class Parity:
    """How far a model that was made of a run is from the run's own, on examples of its test split.

    `drift` is by how much the outputs (logits or embeddings) of the worst example differ: the root mean square, in
    standard deviations of all outputs; `tolerance` is what is allowed. `largest_difference` is that of any single
    output, as it is. `same_predictions` is the share of predictions that are the same.
    """

    examples: int
    drift: float
    tolerance: float
    largest_difference: float
    same_predictions: float
    least_same_predictions: float

    @classmethod
    def of(cls, before: Outputs, after: Outputs, same: np.ndarray, tolerance: float, least_same: float) -> "Parity":
        """Compare the outputs of each example, and which predictions are the `same`; BioftError: they are not."""
        largest = max(float(np.abs(one - other).max()) for one, other in zip(before, after, strict=True))
        found = cls(len(before), drift(before, after), tolerance, largest, float(np.mean(same)), least_same)
        # Written so that what is not a number is refused too.
        if not (found.drift <= tolerance and found.same_predictions >= least_same):
            raise BioftError(
                f"The model that was made computes something else than the run. {found.sentence()} It was not saved."
            )
        return found

    def sentence(self) -> str:
        """The figures in words."""
        return (
            f"On {self.examples} test examples {self.same_predictions:.1%} of the predictions are the same (at least "
            f"{self.least_same_predictions:.0%} must be). On the worst of them the outputs differ by {self.drift:.2g} "
            f"of their standard deviation (root mean square; {self.tolerance:g} is allowed), a single one by at most "
            f"{self.largest_difference:.2g}."
        )


@dataclass(frozen=True)
class Exported:
    """An exported model on disk: a folder or a file, its format and type of weights, and how near it is to the run."""

    path: Path
    format: str
    parity: Parity


def test_examples(directory: Path, record: dict[str, Any], dataset_path: Path | None) -> Any:
    """Up to 100 rows, at equal distances, of the test split of a run; BioftError: the data are missing, or others."""
    found = recorded_data(directory, record, dataset_path)
    split = "test" if runs.is_tested(record) else "validation"
    if found.manifest["fingerprints"][split] != record["dataset"]["fingerprints"]["test"]:
        raise BioftError("The test split here is not that of the run. Name its data with --dataset-path.")
    return found.splits[split].select(evenly(len(found.splits[split])))


def drift(before: Outputs, after: Outputs) -> float:
    """By how much the outputs of the worst example differ: root mean square, in standard deviations of all of them."""
    off = max(np.sqrt(np.mean((one - other) ** 2)) for one, other in zip(after, before, strict=True))
    return float(off / np.concatenate([values.ravel() for values in before]).std())


def card(
    directory: Path, record: dict[str, Any], template: str, title: str, kinds: tuple[str, str, str], **values: Any
) -> str:
    """The model card of what was made of a run, by a template of this package, which `values` fill further.

    `kinds` are the library that loads the model, the Hub's word for what was made of the base model, and a tag.
    BioftError: the record states figures in words that the card would print.
    """
    check_words(record, found := Verification(str(directory)))
    if found.reasons:
        raise BioftError(" ".join(found.reasons))
    task, base = pull.task_of(directory, record), cards_words.without_local_paths(record)["base_model"]
    published, license_id = bool(cards_words.HUB_ID.fullmatch(record["base_model"]["id"])), base.get("license")
    library, kind, tag = kinds
    metadata = ModelCardData(
        library_name=library,
        base_model=base["id"] if published else None,
        license=license_id if license_id in cards_words.HUB_LICENSES else "other" if license_id else None,
        license_name=license_id if license_id and license_id not in cards_words.HUB_LICENSES else None,
        pipeline_tag=task.pipeline_tag,
        tags=[*([f"base_model:{kind}:{base['id']}"] if published else []), "bioft", tag, *task.tags],
    )
    weights = ADAPTER if ADAPTER in record["files"] else WHOLE
    return cards_words.render(
        template,
        __package__,
        metadata=metadata.to_yaml(),
        title=title,
        task=task,
        base=base,
        record=record,
        adapter=weights == ADAPTER,
        weights=weights,
        digest=record["files"].get(weights),
        origin=pull.origin(directory),
        hub=cards_words.HUB,
        not_for_patients=tasks.NOT_FOR_PATIENTS,
        **values,
    )


def describe(record: dict[str, Any], name: str, parity: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What a model in a folder came from and how far it is from that, to be kept beside it as `runs.EXPORT`.

    `name` is its format. The checksums are those of all else in the folder: `runs.read` compares them.
    """
    base = cards_words.without_local_paths(record)["base_model"]
    return {
        "format": name,
        "run": record["name"],
        "recipe": record["recipe"],
        "base_model": {key: base[key] for key in ("id", "revision", "source", "sha256")},
        "trained": {file: record["files"][file] for file in (ADAPTER, WHOLE) if file in record["files"]},
        "parity": dict(parity),
        "files": {name: its for name, its in runs.checksums(folder).items() if name != runs.EXPORT}
        | {runs.CARD: file_sha256(folder / runs.CARD)},
    }
