"""The leak of a published figure in numbers: one model, scored on the texts it was trained on too, and held out.

    python tests/benchmarks/leak_stop_reasons.py RUN [--dataset FOLDER_OR_NAME --dataset_path FILE]

RUN is a finished run of text_classification, the dataset the one that it was trained on. For ClinicalTrialBioBert the
published figures are micro F1 .9585 and macro F1 .817 on training and test texts together, against .786 and .581 on
its own held-out ones. The evaluation of bioft refuses the first of the two, so its figures are computed here by hand.
"""

import argparse
import json

from datasets import concatenate_datasets

from bioft import metrics
from bioft.datasets.load import load_labelled_texts
from bioft.datasets.texts.labelled import labels_of
from bioft.errors import BioftError, LeakageError
from bioft.storage import runs
from bioft.tasks.text_labels import evaluate as text_evaluation, predict as text_prediction


def main() -> None:
    """Print the figures of the run on its training and test splits together, and on its test split."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--dataset", help="by default the built one that the run names")
    parser.add_argument("--dataset_path")
    parser.add_argument("--split_seed", type=int)
    asked = parser.parse_args()
    record = runs.read(asked.run)
    builder = record["dataset"]["builder"]
    dataset, manifest = load_labelled_texts(
        asked.dataset or {"stop_reasons_sample": "sample"}.get(builder, builder),
        dataset_path=asked.dataset_path,
        split_seed=record["dataset"]["seed"] if asked.split_seed is None else asked.split_seed,
    )
    if manifest["fingerprints"] != record["dataset"]["fingerprints"]:
        raise BioftError("This is not the dataset that the run was trained on: its fingerprints differ.")
    together = concatenate_datasets([dataset["train"], dataset["test"]])
    answers = text_prediction.predict_with_run(asked.run, together["text"][:])
    predicted, references = [answer.labels for answer in answers], labels_of(together)

    try:
        text_evaluation.check_not_trained_on(together["text"], text_evaluation.read_trained_on(asked.run))
        raise AssertionError("the evaluation took texts that were trained on")
    except LeakageError as error:
        print(f"bioft refuses to evaluate on train + test: {error}\n")

    first_of_test = len(dataset["train"])
    rows = {
        "train + test": (predicted, references),
        "test, held out": (predicted[first_of_test:], references[first_of_test:]),
    }
    found = {}
    for name, (its_predicted, its_references) in rows.items():
        figures = metrics.load("multilabel").compute(
            predictions=its_predicted, references=its_references, labels=record["labels"]
        )
        found[name] = {key: figures[key] for key in figures if key.startswith(("f1", "macro_f1"))} | {
            "n": figures["n"]
        }
        micro, macro = (
            f"{figures[key]:.3f} [{figures[f'{key}_low']:.3f}, {figures[f'{key}_high']:.3f}]"
            for key in ("f1", "macro_f1")
        )
        print(f"{name:16} n = {figures['n']:6,}  micro F1 {micro}  macro F1 {macro}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
