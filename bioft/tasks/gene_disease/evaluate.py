"""One protocol for models and baselines: threshold from validation, metrics with intervals on test, comparison."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import Dataset, DatasetDict

from bioft import metrics
from bioft.datasets.gene_disease import audit as audits, random_negatives
from bioft.datasets.gene_disease.baselines import GENE_DISEASE, scores as baseline_scores
from bioft.datasets.hpo import context
from bioft.metrics import combination, intervals, report, thresholds as choosing
from bioft.metrics.estimation import estimates
from bioft.metrics.estimation.estimates import PairedDifference
from bioft.models.batches import evaluating
from bioft.models.progress import track
from bioft.storage.runs import PREDICTIONS
from bioft.task import BASE, FINE_TUNED
from bioft.tasks.choices import Checked, is_other_rule, not_given
from bioft.tasks.gene_disease import TASK, pair_plots
from bioft.tasks.gene_disease.prompts import STYLES, PairPrompts
from bioft.tasks.gene_disease.table import PAIR, pairs_share, predictions, thresholds
from bioft.tasks.read_by_others import other_tokenizer

COMPARED = "auroc"
SHOWN = {"auroc": "AUROC", "accuracy": "Accuracy", "f1": "F1", "auprc": "AUPRC", "ece": "ECE", "mcc": "MCC"}
NEAREST, OTHERS = 10, 5
"""Of the genes on either side by number of associations, from how many the memorisation probe draws how many."""
PROBE_TOLERANCE = 0.02
COUNTING = "popularity_boosted"
"""The baseline that says what counting associations tells."""
RANDOM_TOLERANCE = 0.01
"""How far a figure beside random negatives may be from the recorded one, with other packages or in another type."""
MEASURED = ("memorisation", "random_negatives")
"""What of a record `check_choices` measures again."""
FILES = (context.FILE,)
"""What `bioft verify` compares in a run on it, beside the files that runs on all tasks have."""
WITHOUT_THRESHOLD = ("auroc", "auprc", "ece")
Scores = Mapping[str, np.ndarray]
"""Of a model, by split, shape `(n,)`."""
plot, lacking = pair_plots.plot_run, audits.lacking


def choose_threshold(dataset: DatasetDict, scores: Scores, on: str) -> float:
    """The threshold with the highest accuracy on the validation split, or .5, as `threshold_chosen_on` says."""
    if on != choosing.VALIDATION:
        return choosing.DEFAULT
    return choosing.most_accurate_threshold(labels_of(dataset["validation"]), scores["validation"])


def threshold_chosen_on(dataset: DatasetDict) -> str:
    """What chooses the thresholds of all systems: "validation", or why they are .5."""
    return choosing.chosen_on(labels_of(dataset["validation"]))


def fit_baselines(
    dataset: DatasetDict, record: Mapping[str, Any], progress: bool = False
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Fit every baseline on the pairs that a run was trained on; yields its name and its scores by split."""
    train = trained_on(dataset, record)
    each: dict[str, dict[str, np.ndarray]] = {}
    for name in track(list(GENE_DISEASE), "Baselines" if progress else None):
        splits = ("validation", "test")
        its = baseline_scores(name, train, *(dataset[split] for split in splits))
        each[name] = dict(zip(splits, its, strict=True))
        yield name, each[name]
    if threshold_chosen_on(dataset) == choosing.VALIDATION:
        by_split = {split: {name: its[split] for name, its in each.items()} for split in ("validation", "test")}
        weights = combination.fit(labels_of(dataset["validation"]), by_split["validation"])
        yield combination.TOGETHER, {split: combination.score(weights, its) for split, its in by_split.items()}


def trained_on(dataset: DatasetDict, record: Mapping[str, Any]) -> Dataset:
    """The pairs that a run was trained on, of whole splits."""
    limit = record.get("dataset", {}).get("max_train_pairs")
    return dataset["train"] if limit is None else dataset["train"].select(range(min(limit, len(dataset["train"]))))


def baselines(dataset: DatasetDict, record: Mapping[str, Any], progress: bool = False) -> dict[str, pd.DataFrame]:
    """The predictions table of every baseline, fitted on the training split, in the order of `GENE_DISEASE`."""
    on = record["scoring"]["threshold_chosen_on"] if "scoring" in record else threshold_chosen_on(dataset)
    return {
        name: predictions(dataset["test"], scores["test"], choose_threshold(dataset, scores, on))
        for name, scores in fit_baselines(dataset, record, progress)
    }


def baseline_names(record: Mapping[str, Any]) -> list[str]:
    """The baselines that a run has: all of them and, where validation is large enough to fit it, their combination."""
    fitted = record["scoring"]["threshold_chosen_on"] == choosing.VALIDATION
    few_shot = [combination.FEW_SHOT] if record["scoring"].get("few_shot") else []
    return [*GENE_DISEASE, *([combination.TOGETHER] if fitted else []), *few_shot]


def combine(dataset: DatasetDict, scored: Mapping[str, Scores], on: str) -> dict[str, Any]:
    """The combination of the model with all baselines as the record's scoring holds it; none if validation is small.

    `scored` are the scores of all systems by name, and `on` is what `threshold_chosen_on` says.
    """
    if on != choosing.VALIDATION:
        return {}
    scores = {name: its["validation"] for name, its in scored.items()}
    return {"combination": combination.with_model(labels_of(dataset["validation"]), scores)}


def on_random_negatives(
    made: tuple[DatasetDict, Scores] | None, baselines: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What all systems tell beside random negatives, as `random_negatives` of the record; {} where none were drawn.

    `made` is as `predict.score_random_negatives` gives it, and `baselines` are their figures on the run's own pairs.
    Baselines, and the weights of all together, are fitted on random negatives; the model is as it was trained.
    """
    if made is None:
        return {}
    return {"random_negatives": _of_random_negatives(made[0], _with_baselines(*made), baselines)}


def results(dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    """The parts of a record that every run on these pairs has beside figures and comparisons."""
    drawn = random_negatives.draw({**dataset, "train": trained_on(dataset, record)}, record["dataset"])
    return [] if drawn is None else ["random_negatives"]


def _with_baselines(drawn: DatasetDict, scores: Scores) -> dict[str, Scores]:
    return {FINE_TUNED: scores, **dict(fit_baselines(drawn, {}))}


def _of_random_negatives(
    drawn: DatasetDict, scored: Mapping[str, Scores], baselines: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    test = {name: its["test"] for name, its in scored.items()}
    if weights := combine(drawn, scored, threshold_chosen_on(drawn)):
        test[report.WITH_MODEL] = combination.score(weights["combination"], test)
    found = {name: figures(predictions(drawn["test"], its, None), drawn, {})[COMPARED] for name, its in test.items()}
    sentence = random_negatives_in_words(found, baselines[COUNTING][COMPARED])
    return {"metric": COMPARED, "figures": found, **weights, "sentence": sentence}


def random_negatives_in_words(found: Mapping[str, Any], counting: Mapping[str, Any]) -> str:
    """What counting tells of random negatives and of the run's own, in two sentences."""
    return (
        "Random negatives: against pairs drawn at random, as most published figures are measured, counting "
        f"associations alone (popularity, boosted) has an AUROC of {report.interval_text(found[COUNTING])} (n = "
        f"{found[COUNTING]['n']:,}; baselines fitted on such pairs, the model as it is). Against pairs of genes and "
        f"diseases that have as many, as in all other figures here, it has {report.interval_text(counting)}."
    )


def figures(table: pd.DataFrame, dataset: Any, record: Mapping[str, Any]) -> dict[str, dict[str, float | int | None]]:
    """Metrics of `bioft.metrics.gda`, each with value, low, high (95 % interval, by genes and by diseases) and n.

    A table without predictions, of a model whose threshold is not on record, gives those that need none.
    """
    answered = table.get("prediction")
    positive = table["score"][answered == 1] if answered is not None else table["score"]
    flat = metrics.load("gda").compute(
        predictions=table["score"],
        references=table["label"],
        # Any threshold between the scores of the two answers gives the same figures.
        threshold=positive.min() if len(positive) else np.nextafter(table["score"].max(), 2),
        groups=pairs_share(table),
    )
    measured = estimates.nest(flat)
    return {name: its for name, its in measured.items() if answered is not None or name in WITHOUT_THRESHOLD}


def comparisons(
    table: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], dataset: Any, record: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Paired tests of AUROC: the model against the best baseline; all baselines with the model against without it."""

    def compare(ours: pd.DataFrame, theirs: pd.DataFrame) -> PairedDifference:
        return intervals.paired(
            ours["label"], ours["score"], theirs["score"], metric=COMPARED, groups=pairs_share(table)
        )

    best = report.describe_best(
        {name: compare(table, its) for name, its in baselines.items()}, SHOWN[COMPARED], TASK.shared
    )
    weights = record.get("scoring", {}).get("combination")
    if weights is None or not baselines.keys() >= {combination.TOGETHER, *weights["weights"]} - {FINE_TUNED}:
        return {"comparison": best}
    combined = combination.table(weights, table, baselines)
    added = report.describe_added(compare(combined, baselines[combination.TOGETHER]), SHOWN[COMPARED], TASK.shared)
    return {"comparison": best, "added": added | {"metrics": figures(combined, dataset, record)}}


def test_rows(dataset: DatasetDict) -> pd.DataFrame:
    """The pairs that the predictions table of a run on this dataset is about."""
    return dataset["test"].select_columns(PAIR).to_pandas()


def audit(dataset: DatasetDict, record: Mapping[str, Any]) -> dict[str, Any]:
    """The audit of pairs as the record has it, made again; LeakageError if a pair is in two splits."""
    about = record["dataset"]
    return audits.audit(dataset, split=about.get("arguments", {}).get("split", "pair"), seed=about.get("seed") or 0)


def check_data(dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    """No reasons; LeakageError if the pairs are not split as the record says."""
    audits.check_split(dataset, record["dataset"].get("split") or {})
    return []


def check_files(directory: Path, dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    """Why the context of a run's prompts is not what its training pairs give, or its tokenizer not the one used."""
    test, found = dataset["test"], context.read(directory, record)
    style = STYLES[record["scoring"]["prompt_style"]]
    words = [
        f"{style.system or ''}{style.template.format(context='', gene=gene, disease=disease)}"
        for gene, disease in zip(test["gene"][:], test["disease"][:], strict=True)
    ]
    reasons = other_tokenizer(directory, record["base_model"], [*words, style.positive, style.negative])
    if found is not None:
        reasons += context.differing(found, DatasetDict({**dataset, "train": trained_on(dataset, record)}))
    return reasons


def own_data(directory: Path, record: Mapping[str, Any]) -> str:
    """What of a run is the publisher's own and compared with nothing, in words; "" if nothing is."""
    found = context.read(directory, record)
    texts = found["texts"]["gene"] if found else {}
    own = f"The texts of {len(texts):,} genes in {context.FILE} are the publisher's own, and compared with nothing."
    return own if texts else ""


def check_choices(model: Any, dataset: DatasetDict, record: Mapping[str, Any], noise: float) -> Checked:
    """Which recorded thresholds, of the model, its base and the baselines, are not those that validation gives.

    `model` is as `bioft.tasks.gene_disease.predict.load` gives it, `noise` that of its scores.
    """
    from bioft.tasks.gene_disease.predict import score_pairs

    (language_model, prompts, _), rows = model, dataset["validation"]
    reasons = _check_scoring(prompts, dataset, record)
    with language_model.disable_adapter():
        reasons += _check_memorisation(language_model, prompts.tokenizer, dataset, record)
    reasons += _check_random_negatives(language_model, prompts, dataset, record, noise)
    stated, rule, recorded = record["scoring"]["threshold_chosen_on"], threshold_chosen_on(dataset), thresholds(record)
    if is_other_rule(stated, rule, record):
        return [f"What chose the thresholds is said to be: {stated}; by the validation split it is: {rule}."], []
    if stated != choosing.VALIDATION:
        others = [name for name, its in recorded.items() if its != choosing.DEFAULT]
        reasons += [f"{name}: the threshold is not .5, which the record says it is." for name in others]
        if "combination" in record["scoring"]:
            reasons.append("The record weighs the model beside all baselines, though validation is too small to.")
        return reasons, []
    scores = {FINE_TUNED: score_pairs(language_model, prompts, rows)}
    with language_model.disable_adapter():
        scores[BASE] = score_pairs(language_model, prompts, rows)
        if n := record["scoring"].get("few_shot"):
            few_shot = prompts.with_shots(dataset["train"], n, language_model.config)
            scores[combination.FEW_SHOT] = score_pairs(language_model, few_shot, rows)
    scores |= {name: its["validation"] for name, its in fit_baselines(dataset, record)}
    labels = labels_of(rows)
    for name in scores.keys() & recorded.keys():
        its_noise = noise if name in (FINE_TUNED, BASE, combination.FEW_SHOT) else 0.0
        best = choosing.most_accurate_threshold(labels, scores[name])
        if not_given(
            [recorded[name]], lambda s: [choosing.most_accurate_threshold(labels, s)], scores[name], its_noise
        ):
            reasons.append(
                f"{name}: validation does not give the recorded threshold {recorded[name]:.4f} but {best:.4f}."
            )
    recorded_weights = record["scoring"].get("combination")
    if recorded_weights is not None and combination.differs(recorded_weights, labels, scores, noise):
        reasons.append("Validation does not give the recorded weights of the model beside all baselines.")
    elif recorded_weights is not None and not_given(
        [recorded_weights.get("threshold", np.nan)],
        lambda s: [choosing.most_accurate_threshold(labels, s)],
        combination.score(recorded_weights, scores),
        noise,
    ):
        reasons.append("Validation does not give the recorded threshold of the model beside all baselines.")
    elif recorded_weights is None and combination.TOGETHER in scores:
        reasons.append("The record does not say what the model adds to all baselines.")
    return sorted(reasons), []


def _check_scoring(prompts: PairPrompts, dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    """Whether the record describes prompts, answers and what has a threshold as they are."""
    stated = record["scoring"]
    prompts.describe(DatasetDict({**dataset, "train": trained_on(dataset, record)}))
    known = {name: its for name, its in thresholds(record).items() if name in (FINE_TUNED, BASE)}
    its = stated["baseline_thresholds"]
    # An earlier record has fewer baselines.
    known |= {name: its.get(name) for name in baseline_names(record) if name in {*its, *record["baselines"]}}
    ours = describe_scoring(prompts, known, stated["threshold_chosen_on"], stated.get("few_shot", 0))
    ours |= {key: its for key, its in stated.items() if key == "combination"}
    # Earlier records have no words of the prompt.
    others = [
        key for key in {**ours, **stated} if ours.get(key) != stated.get(key) and (key in stated or key != "prompt")
    ]
    return (
        [f"The record describes how pairs are scored in another way than it is: {', '.join(others)}."]
        if others
        else []
    )


def write_predictions(
    table: pd.DataFrame, base: pd.DataFrame, baselines: Mapping[str, pd.DataFrame], directory: Path
) -> None:
    """Write `predictions.parquet`: a row for each test pair with the scores of model, base and baselines."""
    others = {"base_score": base["score"]} | {f"baseline_{name}": its["score"] for name, its in baselines.items()}
    table = table.assign(**others)
    table.insert(0, "id", [f"test-{index}" for index in range(len(table))])
    table.to_parquet(directory / PREDICTIONS, index=False)


def describe_scoring(
    prompts: PairPrompts, thresholds: Mapping[str, float], chosen_on: str, few_shot: int = 0
) -> dict[str, Any]:
    """How scores came about and became labels: all that is needed to compute the figures from the predictions.

    `thresholds` are those of all systems, by name, `chosen_on` is what `threshold_chosen_on` says of them, and
    `few_shot` how many examples the base model read beside.
    """
    described: dict[str, Any] = {} if prompts.described is None else {"context": prompts.described}
    described |= {"few_shot": few_shot} if few_shot else {}
    return described | {
        "prompt_style": prompts.name,
        "prompt": prompts.prompt("{gene}", "{disease}", "{context}" if prompts.context else ""),
        "positive": prompts.style.positive,
        "negative": prompts.style.negative,
        "threshold": thresholds[FINE_TUNED],
        "base_model_threshold": thresholds[BASE],
        "baseline_thresholds": {name: its for name, its in thresholds.items() if name not in (FINE_TUNED, BASE)},
        "threshold_chosen_on": chosen_on,
    }


def memorisation(model: Any, tokenizer: Any, dataset: DatasetDict, n: int) -> dict[str, Any]:
    """Whether a base model has read the data: of `n` associations, drawn at random, it is asked for the gene.

    Returns the share of other genes, with as many associations and none with this disease, that the model finds less
    likely than the gene (`likelier`; .5 is chance), how often it completes its symbol (`completed`, greedily), each
    with interval and n, and both in a sentence.
    """
    from bioft.models import scoring

    found = pd.concat(rows.select_columns(PAIR).to_pandas() for rows in dataset.values())
    found = found[found["label"] == 1].reset_index(drop=True)
    random = np.random.default_rng(0)
    degrees = found["gene"].value_counts().sample(frac=1, random_state=0).sort_values(kind="stable")
    place, symbols = {gene: i for i, gene in enumerate(degrees.index)}, degrees.index.to_numpy()
    of_disease = found.groupby("disease")["gene"].agg(set)
    drawn = found.sample(min(n, len(found)), random_state=0)
    asked: list[tuple[str, str]] = []
    sizes = []
    for gene, disease in zip(drawn["gene"], drawn["disease"], strict=True):
        near = symbols[max(place[gene] - NEAREST, 0) : place[gene] + NEAREST + 1]
        others = [each for each in near if each not in of_disease[disease]]
        others = random.permutation(others)[:OTHERS].tolist()
        sizes.append(len(others))
        asked += [(each, disease) for each in (gene, *others)]
    prompts = [tokenizer(f"Disease: {disease}\nGene:")["input_ids"] for _, disease in asked]
    answers = [tokenizer(f" {gene}\n", add_special_tokens=False)["input_ids"] for gene, _ in asked]
    with evaluating(model):
        likelihoods, greedy = scoring.completions(model, prompts, answers, scoring.tokens_at_once(model), "probe")
    starts = np.cumsum([0, *(size + 1 for size in sizes[:-1])])
    above = [
        np.mean(likelihoods[start] > likelihoods[start + 1 : start + 1 + size]) if size else 0.5
        for start, size in zip(starts, sizes, strict=True)
    ]
    measured = {"likelier": estimates.mean(above), "completed": estimates.mean(greedy[starts])}
    figures = estimates.Measured(measured, len(drawn), pairs_share(drawn)).nested()
    return figures | {"sentence": probe_in_words(figures)}


def probe_in_words(figures: Mapping[str, Any]) -> str:
    """What the probe found, in a sentence."""
    likelier, completed = (report.interval_text(figures[name]) for name in ("likelier", "completed"))
    return (
        f"Has the base model read the data? Asked for the gene of {figures['likelier']['n']:,} associations, it finds "
        f"it likelier than one with as many associations in {likelier} of cases (chance: .500), and completes its "
        f"symbol in {completed}."
    )


def _check_memorisation(model: Any, tokenizer: Any, dataset: DatasetDict, record: Mapping[str, Any]) -> list[str]:
    if (stated := record.get("memorisation")) is None:
        return []
    splits = DatasetDict({**dataset, "train": trained_on(dataset, record)})
    again = memorisation(model, tokenizer, splits, stated["likelier"]["n"])
    same = stated.keys() == again.keys() and stated["sentence"] == probe_in_words(stated)
    for name in again.keys() - {"sentence"} if same else ():
        parts = again[name]
        same = same and stated[name].keys() == parts.keys()
        same = same and all(abs(its - stated[name][part]) <= PROBE_TOLERANCE for part, its in parts.items())
    return [] if same else [f"The memorisation probe gives: {again['sentence']}"]


def _check_random_negatives(
    model: Any, prompts: PairPrompts, dataset: DatasetDict, record: Mapping[str, Any], noise: float
) -> list[str]:
    from bioft.tasks.gene_disease.predict import score_random_negatives

    if (stated := record.get("random_negatives")) is None:
        return []
    splits = DatasetDict({**dataset, "train": trained_on(dataset, record)})
    if (made := score_random_negatives(model, prompts, splits, record["dataset"])) is None:
        return ["The record has figures beside random negatives, where its own are such or none can be drawn."]
    scored = _with_baselines(*made)
    again = _of_random_negatives(made[0], scored, record["baselines"])
    if not (other := _differ(stated, again, record["baselines"])) and "combination" in again:
        labels, rows = labels_of(made[0]["validation"]), {name: its["validation"] for name, its in scored.items()}
        other = combination.differs(stated["combination"], labels, rows, noise)
    if not other:
        return []
    areas = ", ".join(f"{name} {report.interval_text(its)}" for name, its in again["figures"].items())
    return [f"Beside random negatives it is not as the record says. AUROC is: {areas}."]


def _differ(stated: Mapping[str, Any], again: Mapping[str, Any], baselines: Mapping[str, Any]) -> bool:
    """Whether what a record states of random negatives is not what was made again; `baselines` are on record."""
    ours, theirs = again["figures"], stated["figures"]
    if (stated.keys(), theirs.keys(), stated["metric"]) != (again.keys(), ours.keys(), again["metric"]):
        return True
    if stated["sentence"] != random_negatives_in_words(theirs, baselines[COUNTING][COMPARED]):
        return True
    return any(
        theirs[name].keys() != its.keys()
        or theirs[name]["n"] != its["n"]
        or any(not abs(theirs[name][part] - value) <= RANDOM_TOLERANCE for part, value in its.items())
        for name, its in ours.items()
    )


def labels_of(rows: Dataset) -> np.ndarray:
    """The labels of a split, shape `(n,)`, 0 or 1."""
    return np.asarray(rows["label"][:])
