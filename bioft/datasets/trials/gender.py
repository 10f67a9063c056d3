"""Who may take part in a clinical trial (All, Male, Female, or None where its record does not say), from its text.

In a sample of trials the label hangs together with where they come from: a collection of urology trials holds most of
those for men. The audit says how well the source alone, and words that have nothing to do with sex, predict the label.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datasets import Dataset, DatasetDict

from bioft.datasets.options import Seed, SkipBad, TestSize, TrialRecords, ValidationSize
from bioft.datasets.origin import Origin
from bioft.datasets.texts import labelled as labelled_texts
from bioft.datasets.texts.labelled import LabelledText
from bioft.datasets.trials.records import LICENSE, URL, read_trials, source_entries, source_files, trial_text
from bioft.datasets.trials.sexes import FEMALE, FROM_RECORD, LABELS, MALE, without_sex


def build(
    path: TrialRecords,
    *,
    validation_size: ValidationSize = 0.1,
    test_size: TestSize = 0.2,
    seed: Seed = 0,
    skip_bad: SkipBad = False,
) -> tuple[DatasetDict, dict[str, Any]]:
    """Build the set from trial records; returns the splits and the manifest.

    Trials without any text are left out, and counted. Of trials with the same text one is kept. BioftError: as
    `read_trials` and `labelled_texts.build`.
    """
    sources: dict[str, str] = {}
    found, left_out = [], []
    for trial in read_trials(path, skip_bad):
        text = trial_text(trial)
        if not text:
            left_out.append(f"{trial.nct_id}: no text.")
            continue
        sources[trial.nct_id] = trial.source.partition("/")[0]  # the file, or the zip file
        found.append(LabelledText(trial.nct_id, text, (FROM_RECORD[trial.sex],)))
    terms = LICENSE | {"license_link": f"{URL}/about-site"}
    dataset, manifest = labelled_texts.build(
        found,
        Origin("gender", {"skip_bad": skip_bad}, source_entries(source_files(path)), terms),
        *(validation_size, test_size, seed),
        labels=LABELS,
        multi_label=False,
        label_source="registry",
        trial_field="text",
        left_out=left_out,
    )
    manifest["audit"]["confounding"] = confounding(dataset, sources)
    return dataset, manifest


def confounding(dataset: Mapping[str, Dataset], sources: Mapping[str, str]) -> dict[str, Any]:
    """How well the label of a test trial is predicted by what says nothing about who may take part.

    Returns `labels_by_source` (how many trials of each source have which label, all splits), and the accuracy and
    macro F1 on the test split of three predictors that were fitted on train: `majority`, `source_alone` (the most
    frequent label of the trial's source) and `topic_alone` (TF-IDF and logistic regression on texts from which every
    word of `MALE` and `FEMALE` was taken). `names_sex`: the fraction of trials of each label whose text has such a
    word.
    """
    from bioft.datasets.texts.baselines import TfIdfLogistic

    train, test = dataset["train"], dataset["test"]
    every = [row for rows in dataset.values() for row in zip(rows["id"], rows["text"], rows["label"], strict=True)]
    total = Counter(label for *_, label in every)
    named = Counter(label for _, text, label in every if MALE.search(text) or FEMALE.search(text))
    counts = _by_source(((identifier, label) for identifier, _, label in every), sources)
    in_train = _by_source(zip(train["id"], train["label"], strict=True), sources)
    usual = {source: found.most_common(1)[0][0] for source, found in in_train.items()}
    majority = Counter(train["label"]).most_common(1)[0][0]
    topic = TfIdfLogistic(LABELS, multi_label=False).fit(
        [without_sex(text) for text in train["text"]], [[label] for label in train["label"]]
    )
    scores = topic.scores([without_sex(text) for text in test["text"]])
    predicted = {
        "majority": [majority] * len(test),
        "source_alone": [usual.get(sources[identifier], majority) for identifier in test["id"]],
        "topic_alone": [LABELS[index] for index in scores.argmax(axis=1)],
    }
    return {
        "labels_by_source": {name: dict(found) for name, found in sorted(counts.items())},
        "n": len(test),
        **{name: _agreement(test["label"][:], labels) for name, labels in predicted.items()},
        "names_sex": {label: round(named[label] / total[label], 4) for label in LABELS if total[label]},
    }


def _by_source(labels: Iterable[tuple[str, str]], sources: Mapping[str, str]) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for identifier, label in labels:
        counts.setdefault(sources[identifier], Counter())[label] += 1
    return counts


def _agreement(truth: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score

    macro = f1_score(truth, predicted, average="macro", zero_division=0)
    return {"accuracy": round(float(accuracy_score(truth, predicted)), 4), "macro_f1": round(float(macro), 4)}
