"""What a run says that no evaluation shows: it is named as the publisher's word, and held against itself."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bioft import task as tasks
from bioft.cards import words as cards_words
from bioft.datasets.recorded import is_own
from bioft.errors import BioftError
from bioft.hub import checks as hub_checks
from bioft.storage import runs, yaml_config
from bioft.storage.runs import RECORD
from bioft.verify.checks import RESULTS, Run
from bioft.verify.findings import is_made_of_run, near

EVALUATED = {
    *("schema_version", "task", "module", "base_model", "dataset", "audit", "metrics", "base_model_metrics"),
    *("baselines", "notes", "files"),
}
SETTINGS = {
    *("classifier", "end_to_end", "joint", "labels", "masking", "packing"),
    *("positive_weight", "precision", "relations", "scoring", "train_on", "windows"),
}
"""How a run was trained and is asked: what its evaluation needs of these is checked by that, no more."""
WORD = {
    *("bioft", "command", "created", "hardware", "log_history", "name", "packages", "preset", "python", "recipe"),
    *("restated", "seed", "timings", "training"),
}
"""What the record of every recipe says of how it came about."""
OF_SOME = {"restated"}
"""What of it few records have: those whose figures were computed anew."""
TRAINING_PLOTS = ("plots/loss", "plots/learning_rate")
OF_BASE_MODELS = {
    *("id", "revision", "source", "license", "sha256", "name_or_path", "model_type", "vocab_size", "quantization"),
    "dtype",
}
"""What records say of the base model."""
ROWS = ("training_rows", "blocks")
"""What parts of records call the number of examples that were trained on."""
OF_TEST = re.compile(r"(?i)(^|_)test")
ROUNDED = 0.01
"""How far figures of a training may be off that follow from one another."""


def name_what_is_not_checked(run: Run) -> None:
    """Name what of a record is the publisher's word; results and parts that nothing here measures are no such word."""
    record, found = run.record, run.found
    module = record.get("module", None if run.full else run.task.module)  # the first schema named none
    if module != run.task.module:
        found.reasons.append(f"{RECORD} names the module {module}; that of {run.task.name} is another.")
    stated = {key for key, its in record.items() if its not in (None, [], {}, "")}
    measured = run.computed | set(getattr(tasks.part(run.task, "evaluate"), "MEASURED", ()))
    if run.full and (others := sorted(RESULTS & stated - measured)):
        found.reasons.append(f"{RECORD} states results that {run.task.name} does not give: {', '.join(others)}.")
    if run.task.module not in tasks.REGISTERED:
        found.notes.append(
            f"What the data, the answers and the figures of {run.task.name} are, the module {run.task.module} says, "
            "which is not bioft's: whoever wrote it judges here."
        )
    own = SETTINGS | {*run.task.settings}
    unknown = sorted(stated - EVALUATED - own - WORD - RESULTS - measured)
    unknown += [f"base_model.{key}" for key in sorted(record["base_model"].keys() - OF_BASE_MODELS)]
    if unknown and run.task.module in tasks.REGISTERED:
        run.in_part(f"{RECORD} states what nothing here can measure: {', '.join(unknown)}.")
    if run.full and run.task.module in tasks.REGISTERED and (lacking := sorted(WORD - OF_SOME - stated)):
        run.in_part(f"{RECORD} lacks what every recipe writes: {', '.join(lacking)}.")
    words = [*sorted(stated & WORD), *(unknown if run.task.module not in tasks.REGISTERED else ())]
    if settings := sorted(stated & own - {"labels", "scoring"}):
        words.append(f"of {', '.join(settings)} what no evaluation needs")
    if limit := record["dataset"].get("max_train_pairs"):
        words.append(f"that it was trained on {limit:,} of the training pairs, as the baselines were")
    if is_own(record["dataset"]):
        words.append("title, licence and terms of the data")
    if not (run.directory / hub_checks.ADAPTER_CONFIG).is_file():
        words.append("that the model was trained from its base model")
    if Path(record["base_model"]["name_or_path"]).is_dir():
        words.append("what the folder of its base model is called")
    listed = record.get("files") or {}
    words += [name for name in (runs.CONFIG,) if name in listed]
    words += sorted(name for name in listed if name.startswith(TRAINING_PLOTS) and name.endswith(".png"))
    found.not_checked = [*words, *found.not_checked]


def check_base_model(run: Run) -> None:
    """Compare what the record says of the base model with what it is; where its weights come from may be said anew."""
    from bioft.models import base as models

    recorded = run.record["base_model"]
    if (adapter := run.directory / hub_checks.ADAPTER_CONFIG).is_file():
        config = hub_checks.read_json(adapter)
        named = config.get("base_model_name_or_path"), config.get("revision")
        if named not in [(recorded[key], recorded["revision"]) for key in ("id", "name_or_path")]:
            run.found.reasons.append(
                f"{adapter.name} names the base model {named[0]} at revision {named[1]}, {RECORD} {recorded['id']} at "
                f"{recorded['revision']}: others would load another model."
            )
    adapted = run.optional("predict", "base_of") if is_made_of_run(run.record) else None
    base = models.resolve_recorded(recorded) if adapted is None else adapted(run.record)
    ours = models.described(base)
    if adapted is not None:  # by a run that may lie elsewhere here
        ours = {key: its for key, its in ours.items() if key not in ("id", "source")}
    if "precision" in run.record:
        ours["dtype"] = "float32"  # in which every encoder is trained, whatever it multiplies in
    if Path(recorded["name_or_path"]).is_dir() and cards_words.HUB_ID.fullmatch(recorded["id"]):
        run.in_part(
            f"The base model {recorded['id']} is a folder of this machine: nothing says that it is what the Hub has "
            "under that name, to which the card links."
        )
    if recorded.get("quantization") not in (None, "nf4"):
        run.found.reasons.append(f"{RECORD} names no quantization: {recorded['quantization']}.")
    if run.full and (missing := sorted(ours.keys() - recorded.keys())):
        run.found.reasons.append(f"{RECORD} leaves out what is known of the base model: {', '.join(missing)}.")
    for name in (name for name, its in ours.items() if name in recorded and recorded[name] != its):
        folders = [str(each[name]).startswith(models.LOCAL) for each in (ours, recorded)]
        if name == "source" and all(folders):
            continue  # of the machine where it was trained
        out_of_reach = name == "license" and ours[name] is None and base.revision is not None
        words = f"{RECORD} says of the base model that its {name} is {recorded[name]}; here it is {ours[name]}."
        same_weights = name == "source" and not any(folders)
        (run.found.notes if out_of_reach or same_weights else run.found.reasons).append(words)


def check_training(run: Run) -> None:
    """Hold what the record says of its training against itself: steps, examples, time, losses, parameters."""
    try:
        run.found.reasons += [f"The training on record is none: {each}." for each in _contradictions(run)]
    except (KeyError, TypeError, AttributeError, ValueError, ZeroDivisionError) as error:
        run.found.reasons.append(f"{RECORD} describes no training as a recipe does ({error!r}).")


def _contradictions(run: Run) -> Iterable[str]:
    record = run.record
    config = yaml_config.load_config(path) if (path := run.directory / runs.CONFIG).is_file() else {}
    if (seed := config.get("seed")) not in (None, record["seed"]):
        yield f"the seed {record['seed']}, and {seed} in {runs.CONFIG}"
    training, log = record["training"], record.get("log_history") or []
    steps, seen = training["steps"], training.get("examples_seen", training.get("pairs_seen"))
    resumed = training.get("resumed_from") or 0
    if stated := sorted({key for entry in log for key in entry if OF_TEST.search(key)}):
        yield f"its log has figures of the test split ({', '.join(stated)})"
    yield from _of_parameters(run.directory, training)
    last = next((entry for entry in reversed(log) if "train_runtime" in entry), None)
    if last is None:
        return
    if steps != last["step"]:
        yield f"{steps:,} steps, and {last['step']:,} in its log"
    if not near(training["seconds"], last["train_runtime"], ROUNDED):
        yield f"{training['seconds']} seconds, and {last['train_runtime']} in its log"
    if (rows := _rows(record)) is not None and seen > last["epoch"] * rows + 1:
        yield f"{seen:,} examples were seen in {last['epoch']:.2f} epochs of {rows:,}"
    if (batch := _batch(config, record)) is not None and seen > steps * batch:
        yield f"{seen:,} examples were seen in {steps:,} steps of {batch}"
    speed = seen * (1 - resumed / steps) / training["seconds"]
    stated_speed = training.get("examples_per_second", training.get("pairs_per_second", speed))
    if not math.isclose(speed, stated_speed, rel_tol=ROUNDED):
        yield f"{stated_speed:.1f} examples a second, and by its time {speed:.1f}"
    if "train_loss" in last and not resumed:
        logged = [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]
        ends = [0, *(step for step, _ in logged)]
        mean = sum(loss * (step - start) for (step, loss), start in zip(logged, ends, strict=False)) / last["step"]
        # What came after the last entry is in no other.
        if ends[-1] == last["step"] and not math.isclose(mean, last["train_loss"], rel_tol=ROUNDED, abs_tol=ROUNDED):
            yield f"the mean of its logged losses is {mean:.4f}, and its loss {last['train_loss']:.4f}"


def _of_parameters(directory: Path, training: Mapping[str, Any]) -> Iterable[str]:
    """Whether as many parameters are on record as the weights have: of an adapter those that were trained."""
    trained, total = training["trainable_parameters"], training["total_parameters"]
    adapter = directory / "adapter_model.safetensors"
    if trained > total:
        yield f"{trained:,} of {total:,} parameters were trained"
    whole = directory / "model.safetensors"
    if whole.is_file() and not math.isclose(there := _parameters(whole), total, rel_tol=ROUNDED):
        yield f"the model has {total:,} parameters, and its weights {there:,}"
    if adapter.is_file() and (there := _parameters(adapter)) != trained:
        yield f"{trained:,} parameters were trained, and the adapter has {there:,}"


def _parameters(weights: Path) -> int:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(weights, "numpy") as opened:
            return sum(math.prod(opened.get_slice(name).get_shape()) for name in opened.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise BioftError(f"The model of the run can't be loaded: {weights.name}: {error}") from error


def _rows(record: Mapping[str, Any]) -> int | None:
    """How many examples an epoch has, where the record says so."""
    if (windows := (record.get("windows") or {}).get("training")) is not None:
        return windows
    for part in record.values():
        if isinstance(part, Mapping) and (named := [part[name] for name in ROWS if name in part]):
            return named[0]
    if (pairs := (record.get("relations") or {}).get("training_pairs")) is not None:
        return pairs.get("examples", pairs["candidates"])  # of a language model a document is one
    counts = record["dataset"]["rows"].get("train") or {}
    if counts.keys() == {"positive", "negative"}:
        return min(sum(counts.values()), record["dataset"].get("max_train_pairs") or math.inf)
    return None


def _batch(config: Mapping[str, Any], record: Mapping[str, Any]) -> int | None:
    """How many examples a step took, where the configuration of the run says so."""
    if (size := config.get("per_device_train_batch_size")) is None:
        return None
    return size * config.get("gradient_accumulation_steps", 1) * record["hardware"]["num_processes"]
