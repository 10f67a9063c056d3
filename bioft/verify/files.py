"""Whether a run's files are those of its record, and whether a loader would read others in their place."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bioft import task as tasks
from bioft.errors import BioftError
from bioft.hub import checks as hub_checks, pull
from bioft.storage import runs
from bioft.storage.parquet import check_parquet
from bioft.task import Task
from bioft.tasks.answers import read_table, wrong_in
from bioft.verify.checks import Run
from bioft.verify.findings import Verification

WHOLE = ("model.safetensors", "model.safetensors.index.json")
SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")
TRACKED = re.compile(r"runs/(.*/)?events\.out\.tfevents\.[^/]*$")
"""What a tracker writes beside a run."""
NOT_LOADED = frozenset({".md", ".png", ".svg", ".jpg", ".pdf", ".html", ".css", ".csv", ".parquet", ".yaml", ".log"})
"""What no library loads as a model, a tokenizer or code."""
KNOWN = re.compile(
    r"adapter_model\.safetensors|model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json|"
    r"(\d\w*/)?(config|(adapter|generation|sentence_bert|tokenizer|preprocessor)_config|config_sentence_transformers|"
    r"modules|tokenizer|special_tokens_map|added_tokens|vocab)\.json|(vocab|merges)\.txt|"
    r"(sentencepiece\.bpe|spiece|tokenizer)\.model|chat_template\.jinja|"
    r"config\.yaml|predictions\.parquet|plots/[\w.-]+"
)
"""The files that any recipe writes, of which models are made or which are compared; a task has `FILES` beside them."""
OTHER_LIBRARIES = re.compile(
    r".*\.(safetensors|bin|pt|pth|gguf|ggml|onnx|onnx_data|h5|keras|pb|msgpack|ot|tflite|mlmodel|mlpackage|npz|xml|py)|"
    r"sentence_[a-z-]+_config\.json"
)
"""What no recipe writes, and some library would load as the model, or read texts by."""
FAST = "tokenizer.json"
VOCABULARY = re.compile(
    r"vocab\.(txt|json)|merges\.txt|added_tokens\.json|special_tokens_map\.json|"
    r"(sentencepiece\.bpe|spiece|tokenizer)\.model"
)
"""By what other tokenizers read texts, or earlier versions of Transformers, where `FAST` is there."""
OURS = frozenset({runs.RECORD, *hub_checks.UNLISTED, pull.ORIGIN, ".gitattributes", ".gitignore", "LICENSE"})


def check_files(directory: Path, record: dict[str, Any], found: Verification) -> None:
    """Compare the files of a run with its record; those that a loader would read must be listed there.

    ChangedFilesError: files that are missing or were changed. BioftError: a table that is not to be read.
    """
    listed = record.get("files") or {}
    if outside := [name for name in listed if hub_checks.leaves_folder(name)]:
        raise BioftError(f"{runs.RECORD} lists files outside its folder: {', '.join(map(repr, outside))}.")
    runs.check_files(directory, record)
    unlisted = sorted(name for name in _names(directory) if name not in listed and name not in OURS)
    loaded = [name for name in unlisted if Path(name).suffix.lower() not in NOT_LOADED]
    if loaded:
        found.reasons.append(
            f"{runs.RECORD} does not list {', '.join(loaded)}: a loader may read them in the place of the run's own."
        )
    if others := [name for name in unlisted if name not in loaded]:
        found.notes.append(f"Files that {runs.RECORD} does not list were not checked: {', '.join(others)}.")
    of_task = getattr(tasks.part(pull.task_of(directory, record), "evaluate"), "FILES", ())
    if extra := sorted(name for name in listed if not KNOWN.fullmatch(name) and name not in of_task):
        if models := [name for name in extra if OTHER_LIBRARIES.fullmatch(name.lower())]:
            found.reasons.append(
                f"No recipe writes {', '.join(models)}: other libraries may load another model than was measured."
            )
        if harmless := [name for name in extra if name not in models]:
            found.notes.append(f"Files that no recipe writes were not checked: {', '.join(harmless)}.")
    both = [name for name in listed if name in WHOLE or SHARD.fullmatch(name)]
    if hub_checks.ADAPTER_CONFIG in listed and both:
        found.reasons.append(f"The run has an adapter and a whole model ({both[0]}): which is loaded is left open.")
    elif WHOLE[0] in both and len(both) > 1:
        found.reasons.append(f"The run has a whole model twice ({', '.join(both)}): which is loaded is left open.")
    if WHOLE[1] in listed:
        named = set((hub_checks.read_json(directory / WHOLE[1]).get("weight_map") or {}).values())
        if others := sorted(map(str, named ^ {name for name in listed if SHARD.fullmatch(name)})):
            found.reasons.append(f"{WHOLE[1]} does not name the weights that are there: {', '.join(others)}.")
    every = {*listed, *_names(directory)}
    if twice := sorted(
        name for name in every if name.lower() != name and name.lower() in map(str.lower, every - {name})
    ):
        found.reasons.append(
            f"{', '.join(twice)}: on some systems that is another file of the run, which differs in case."
        )
    _check_vocabularies(directory, listed, found)
    for check in (hub_checks.check_no_remote_code, hub_checks.check_no_pickles):
        try:
            check(directory)
        except BioftError as error:
            found.reasons.append(str(error))
    for name in listed:
        if name.endswith(".parquet"):
            check_parquet(directory / name)
    if runs.PREDICTIONS in listed:
        table = read_table(directory, {})
        if why := wrong_in(table, record):
            found.reasons.append(f"{runs.PREDICTIONS} holds no predictions: {why}.")
        if beside := _columns_beside(table, pull.task_of(directory, record)):
            found.notes.append(f"Columns of {runs.PREDICTIONS} that nothing reads were not checked: {beside}.")


def _columns_beside(table: Any, task: Task) -> str:
    """The columns of stored predictions that the task has none of, in words; "" of a task that does not name its."""
    if (names := getattr(tasks.part(task, "answers"), "COLUMNS", None)) is None:
        return ""
    known = [re.escape(its.rstrip("?")) + (".*" if its.endswith("_") else "") for its in names]
    return ", ".join(name for name in map(str, table) if name != "id" and not re.fullmatch("|".join(known), name))


def _check_vocabularies(directory: Path, listed: Collection[str], found: Verification) -> None:
    """Whether the files by which slow tokenizers read texts hold the vocabulary of the fast one, which bioft asks."""
    beside = [name for name in listed if VOCABULARY.fullmatch(name)]
    if not beside or FAST not in listed:
        return
    tokenizer = hub_checks.read_json(directory / FAST)
    if (config := directory / "tokenizer_config.json").is_file():
        tokenizer["special"] = hub_checks.read_json(config)
    unread = []
    for name in beside:
        try:
            same = _is_vocabulary(name, (directory / name).read_bytes().decode(errors="replace"), tokenizer)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            same = False
        if same is None:
            unread.append(name)
        elif not same:
            found.reasons.append(f"{name} is not the vocabulary in {FAST}: others would read other tokens.")
    if unread:
        found.notes.append(f"Whether these hold the vocabulary in {FAST} was not checked: {', '.join(unread)}.")


def _is_vocabulary(name: str, text: str, tokenizer: Mapping[str, Any]) -> bool | None:
    """Whether a file says what a fast tokenizer does; None for a kind that is not read here."""
    model = tokenizer.get("model") or {}
    if name == "vocab.json":
        return json.loads(text) == model.get("vocab")
    if name == "added_tokens.json":
        return json.loads(text).items() <= {its["content"]: its["id"] for its in tokenizer["added_tokens"]}.items()
    if name == "special_tokens_map.json":
        special, known = tokenizer.get("special", {}), [each["content"] for each in tokenizer["added_tokens"]]
        return all(
            _content(its) == _content(special[key]) if key in special else {*_listed(its)} <= {*known}
            for key, its in json.loads(text).items()
        )
    lines = text.removesuffix("\n").split("\n")
    if name == "vocab.txt":
        return {token: place for place, token in enumerate(lines)} == model.get("vocab")
    if name == "merges.txt":
        stated = [line for line in lines if line and not line.startswith("#version")]
        return stated == [each if isinstance(each, str) else " ".join(each) for each in model.get("merges") or ()]
    return None


def _content(token: Any) -> Any:
    """The text of a special token, which may stand beside how it is cut out; of several a list."""
    if isinstance(token, list):
        return [_content(each) for each in token]
    return token["content"] if isinstance(token, Mapping) else token


def _listed(token: Any) -> list[Any]:
    """The texts of one special token, or of several."""
    return _content(token) if isinstance(token, list) else [_content(token)]


def _names(directory: Path) -> Iterator[str]:
    """The files in a run directory, and links out of it, whose files are not looked for; no leftovers of training.

    Of one from the Hub also those that were not fetched.
    """
    root = directory.resolve()
    every = (
        path
        for path in directory.rglob("*")
        if path.is_file() or (path.is_symlink() and not path.resolve().is_relative_to(root))
    )
    here = (path.relative_to(directory).as_posix() for path in every)
    for name in (*here, *pull.unlisted(directory)):
        if not TRACKED.match(name) and not runs.RESUMPTION.match(name):
            yield name


def check_plots(directory: Path, record: dict[str, Any], task: Task, found: Verification) -> None:
    """Draw the plots of a run again, and compare them; those that can't be drawn from the record are named."""
    listed = [name for name in record.get("files") or {} if name.startswith("plots/")]
    if not listed:
        return
    with tempfile.TemporaryDirectory() as place:
        shutil.copy(directory / runs.PREDICTIONS, place)
        draw(Path(place), record, task)
        drawn = [name for name in listed if (Path(place) / name).is_file()]
        others = _others(drawn, directory, Path(place))
        if any(name.startswith("plots/metrics.") for name in others):
            # Earlier runs call every base model zero-shot, also with an untrained head.
            from bioft.metrics import report

            _draw_metrics(Path(place), record, task, report.result_rows(record))
            others = _others(drawn, directory, Path(place))
    if others and not any(name.endswith(".svg") for name in listed):
        found.notes.append("Its plots are of an earlier bioft, which had no SVG files, or they are false.")
    elif others and record["packages"].get("matplotlib") == version("matplotlib"):
        found.reasons.append(f"Plots are not those that the record gives: {', '.join(others)}.")
        others = []
    found.plots = sorted({*others, *(set(listed) - set(drawn))})


def _others(names: list[str], directory: Path, place: Path) -> list[str]:
    return [name for name in names if (place / name).read_bytes() != (directory / name).read_bytes()]


def check_plots_of_data(run: Run, draw_again: Callable[[Path], None]) -> None:
    """Draw those plots again that data and models give; of cosines, which rounding may move over the edge of a bar."""
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "plots").mkdir()
        if run.found.plots:
            draw_again(Path(place))
        run.found.plots = [
            name
            for name in run.found.plots
            if not (Path(place) / name).is_file()
            or (Path(place) / name).read_bytes() != (run.directory / name).read_bytes()
        ]


def name_plots(found: Verification) -> None:
    """Say which plots were not checked: a picture that may be false is not verified."""
    if found.plots:
        found.best = "verified in part"
        found.notes.append(f"Plots that were not checked: {', '.join(found.plots)}.")


def draw(place: Path, record: dict[str, Any], task: Task) -> None:
    """Draw into `plots/` what the end of every recipe draws, from the record and the predictions in a folder."""
    from bioft.metrics import plots, report

    plots.plot_training(place, record.get("log_history") or [])
    _draw_metrics(place, record, task, report.named(record, report.result_rows(record)))
    getattr(tasks.part(task, "evaluate"), "plot", lambda directory, record: None)(place, record)


def _draw_metrics(place: Path, record: dict[str, Any], task: Task, rows: dict[str, Any]) -> None:
    from bioft.metrics import plots

    evaluate = tasks.part(task, "evaluate")
    shown_of = getattr(evaluate, "shown", lambda record: getattr(evaluate, "SHOWN", {}))
    plots.metrics(rows, shown_of(record), place / "plots" / "metrics.png")
