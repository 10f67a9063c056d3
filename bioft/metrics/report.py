"""The figures of a run in words and in one table: baselines, base model, fine-tuned model."""

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bioft import task as tasks
from bioft.storage import runs

if TYPE_CHECKING:
    from bioft.metrics.estimation.estimates import PairedDifference

SIGNIFICANCE_LEVEL = 0.05
NARROWEST = 8
"""What a column of names has on the narrowest terminal, in characters."""
SEEN = 0.0005
"""A difference that three decimals show."""
WITH_MODEL = "all with the model"
"""What records call all baselines together with the model."""
RANDOM_NEGATIVES, RANDOM_NEGATIVES_WORDS = "random_negatives", "Random negatives"
"""What a record and tables call the figures on the same positives beside negatives drawn at random."""


def describe_difference(baseline: str, result: "PairedDifference", words: str, shared: str = "") -> dict[str, Any]:
    """The comparison of a model with its best baseline as `run.json` holds it, with the conclusion in one sentence.

    `words` name the metric, `shared` what the test examples share, by which the test is cluster-robust. Different is
    what has p < .05, which is an interval without 0.
    """
    if result.low > 0 and result.p_value < SIGNIFICANCE_LEVEL:
        verdict = "is significantly better than"
    elif result.high < 0 and result.p_value < SIGNIFICANCE_LEVEL:
        verdict = "is significantly worse than"
    else:
        verdict = "does not differ significantly from"
    robust = f", cluster-robust by {shared}" if shared else ""
    sentence = (
        f"The fine-tuned model {verdict} the best baseline ({baseline.replace('_', ' ')}): difference in {words} "
        f"{result.difference:+.3f}, 95% interval {result.low:+.3f} to {result.high:+.3f}, "
        f"{p_words(result.p_value)} (paired test{robust}, n = {result.n:,})."
    )
    figures = {key: getattr(result, key) for key in ("metric", "difference", "low", "high", "p_value")}
    return {"baseline": baseline, **figures, "sentence": sentence}


def describe_added(result: "PairedDifference", words: str, shared: str) -> dict[str, Any]:
    """What a model (in the first of `result`) adds to all baselines (the second), as `describe_difference` says it."""
    if result.p_value >= SIGNIFICANCE_LEVEL:
        verdict = "nothing that could be told from chance"
    else:
        verdict = "something" if result.difference > 0 else "less than nothing"
    digits = 3
    if abs(result.difference) < SEEN and result.p_value < SIGNIFICANCE_LEVEL:
        verdict, digits = "next to nothing", 5
    sentence = (
        f"To all baselines together the model adds {verdict}: difference in {words} {result.difference:+.{digits}f}, "
        f"from {decimals(result.second)} to {decimals(result.first)}, 95% interval {result.low:+.{digits}f} to "
        f"{result.high:+.{digits}f}, {p_words(result.p_value)} (paired test, cluster-robust by {shared}, "
        f"n = {result.n:,})."
    )
    figures = {key: its for key, its in result._asdict().items() if key != "n"}
    return figures | {"sentence": sentence}


def describe_best(results: Mapping[str, "PairedDifference"], words: str, shared: str = "") -> dict[str, Any]:
    """The comparison with the best baseline: the one with the highest value on this same test split.

    That choice favours the baselines. `results` are the comparisons with each of them; the rest is as in
    `describe_difference`.
    """
    best = max(results, key=lambda name: results[name].second)
    return describe_difference(best, results[best], words, shared)


def print_results(record: Mapping[str, Any], shown: Mapping[str, str], console: Console) -> None:
    """Print the one table of a run record: baselines, the base model, the fine-tuned model, with intervals."""
    rows, shown = with_random_negatives(record, result_rows(record), shown)
    rows = named(record, rows)
    split = "Test" if runs.is_tested(record) else "Validation"
    console.print(results_table(rows, console, shown, split))
    for key in ("adaptation", "random_negatives", "comparison", "added", "memorisation", "by_neighbour"):
        if key in record:
            say(_with_names(record[key]["sentence"], record["baselines"]), console)


def _with_names(sentence: str, baselines: Iterable[str]) -> str:
    """A sentence of a record with what tables call its baselines."""
    names = {f"({name.replace('_', ' ')})": f"({tasks.called(name)})" for name in baselines}
    return next((sentence.replace(each, its, 1) for each, its in names.items() if each in sentence), sentence)


def say(sentence: str, console: Console) -> None:
    """Print a sentence: a terminal gets it in lines that end between words, a file as one line."""
    console.print(sentence, soft_wrap=not console.is_terminal, highlight=False)


def named(record: Mapping[str, Any], rows: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of systems by the names that tables and plots give them."""
    return {base_words(record) if name == tasks.BASE else name: its for name, its in rows.items()}


def result_rows(record: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The metrics of the baselines, of these with the model, of the base model and the fine-tuned, in this order."""
    added = {WITH_MODEL: record["added"]["metrics"]} if "added" in record else {}
    models = {tasks.BASE: record["base_model_metrics"], tasks.FINE_TUNED: record["metrics"]}
    return {**record["baselines"], **added, **models}


def with_random_negatives(
    record: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any]], shown: Mapping[str, str]
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """Rows of metrics and the words of those shown, with a column of what a run's systems tell of random negatives.

    It stands beside the metric that it is of; both are as they were where the record has none.
    """
    if (found := record.get(RANDOM_NEGATIVES)) is None:
        return dict(rows), dict(shown)
    figures = {name: {RANDOM_NEGATIVES: figure} for name, figure in found["figures"].items()}
    words: dict[str, str] = {}
    for key, its in shown.items():
        words |= {key: its, **({RANDOM_NEGATIVES: RANDOM_NEGATIVES_WORDS} if key == found["metric"] else {})}
    return {name: {**(its or {}), **figures.get(name, {})} for name, its in rows.items()}, words


def base_words(record: Mapping[str, Any]) -> str:
    """What tables call the base model of a run: with a head that nothing has trained it is not zero-shot."""
    if record.get("new_head", tasks.find(record, pulled=False).new_head):
        source = record.get("base_model", {}).get("source", "")
        trained = "start_from" in record.get("training", {}) or source.startswith("local folder")
        return "base" if trained else "base, untrained head"
    return tasks.BASE


def results_table(
    rows: Mapping[str, Mapping[str, Any]], console: Console, shown: Mapping[str, str], split: str = "Test"
) -> Table:
    """A table of metrics with intervals, a row for each name; the last row is set apart if there is a base model.

    `shown` are the metrics and their words, the most important first: a narrow terminal gets those that fit on it;
    `run.json` and the card have all of them.
    """
    n = next(iter(rows.values()))[next(iter(shown))]["n"]
    columns = (Column(words, justify="right", no_wrap=True) for words in shown.values())
    title = f"{split} split, n = {n:,}, with 95 % intervals"
    table = Table("Model", *columns, title=title, box=box.SIMPLE_HEAD)
    for name, values in rows.items():
        if name == tasks.FINE_TUNED:
            table.add_section()
        cells = [interval_text(values.get(metric, {"value": None})) for metric in shown]
        table.add_row(tasks.called(name), *cells, style="bold" if name == tasks.FINE_TUNED else None)
    return fitted(table, console)


def text_table(
    columns: Iterable[Any], rows: Iterable[Iterable[str]], words: Collection[Any], title: str | None = None
) -> Table:
    """A table of texts, in which no markup is read; columns that are not of `words` stand to the right."""
    heads = (Column(str(name), justify="left" if name in words else "right") for name in columns)
    table = Table(*heads, title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def show(table: Table, console: Console | None = None, least: Sequence[str] | None = None) -> None:
    """Print a table as `fitted` makes it; what its cells hold is never read as markup."""
    console = console or Console(markup=False)
    console.print(fitted(table, console, least))


def fitted(table: Table, console: Console, least: Sequence[str] | None = None) -> Table:
    """Make a table as wide as the terminal at the most, without breaking a word or a number.

    Columns named in `least` are left out, in their order, as far as it takes; by default the last ones, down to two.
    Names that still do not fit are broken after a hyphen, a slash or an underscore, then the last columns go, and only
    what has no room in two columns is broken anywhere. Columns to the right of their numbers are kept whole, and
    those that must not wrap.
    """
    last = list(table.columns[:1:-1])
    named = [column for name in least or () for column in table.columns if str(column.header) == name]
    sides, lines, joints = table.padding[1] + table.padding[3], int(table.box is not None), False
    # None: from here on names may be broken.
    for going in [*(last if least is None else named), None, *last, last]:
        whole, words = zip(*(_widths(column, joints) for column in table.columns), strict=True)
        # The spaces beside each column, and if there are lines, one between two and at each end.
        spare = console.width - (sides + lines) * len(whole) - lines - sum(words)
        if spare >= 0 or going is last:
            break
        joints |= going is None
        table.columns = [column for column in table.columns if column is not going]
    for column, natural, least_width in zip(table.columns, whole, words, strict=True):
        # With no room the first column, which is there by now, gives it.
        wider = min(spare, natural - least_width) if spare >= 0 else max(spare, min(NARROWEST - least_width, 0))
        spare -= wider
        column.width, column.overflow = least_width + wider, "fold"
        if joints and not _is_whole(column):
            column._cells[:] = [_at_joints(cell, column.width) for cell in column.cells]
    return table


def _widths(column: Column, joints: bool) -> tuple[int, int]:
    """What a column takes in one line, and what it takes at least: its longest word, of numbers the longest cell."""
    cells, header = [str(cell) for cell in column.cells], str(column.header)
    pieces = [
        [header] if column.no_wrap else header.split(),
        cells if _is_whole(column) else [word for cell in cells for word in _pieces(cell, joints)],
    ]
    return max(map(cell_len, [header, *cells])), max(map(cell_len, ["", *pieces[0], *pieces[1]]))


def _is_whole(column: Column) -> bool:
    return column.no_wrap or column.justify == "right"


JOINTS = re.compile(r"[^\s/_-]*[/_-]+|[^\s/_-]+")
"""A part of a word that ends with a hyphen, a slash or an underscore, or its last part."""


def _pieces(text: str, joints: bool) -> list[str]:
    return JOINTS.findall(text) if joints else text.split()


def _at_joints(cell: Any, width: int) -> Text:
    """A cell with its line breaks, at spaces and joints."""
    text = cell if isinstance(cell, Text) else Text(str(cell))
    offsets, start = [], 0
    for found in JOINTS.finditer(text.plain):
        if found.start() > start and cell_len(text.plain[start : found.end()]) > width:
            start = found.start()
            offsets.append(start)
    lines = text.divide(offsets)
    for line in lines:
        line.rstrip()
    return Text("\n").join(lines)


def rests_on(record: Mapping[str, Any], seeds: int = 1, splits: int = 1) -> str:
    """What the figures of a run, or of several that differ in their seeds, rest on, as one sentence."""
    n, unit = next(iter(record["metrics"].values()))["n"], tasks.find(record, pulled=False).unit
    counts = " and ".join(
        f"{each} {what}{'s' if each > 1 else ''}" for each, what in ((seeds, "seed"), (splits, "split"))
    )
    more = " --seeds and --split_seeds say how far they depend on these." if seeds * splits == 1 else ""
    return f"These figures rest on {counts}, with {n:,} {unit} to test on.{more}"


def p_words(value: float | None, symbol: str = "p ") -> str:
    """A p-value as texts show it, `p < .001` or `p = .043`; without a symbol as tables do, `<.001` or `.043`."""
    if value is None or math.isnan(value):
        return "–"
    if value < 0.001:
        return f"{symbol}< .001" if symbol else "<.001"
    return f"{symbol}= {decimals(value)}" if symbol else decimals(value)


def decimals(value: float, places: int = 3, sign: str = "-") -> str:
    """A number as tables show it: `.812`, `-.041`, `10.400`; with "+" as `sign` a difference: `+.041`, `.000`."""
    text = f"{value:{sign}.{places}f}"
    if not float(text):
        text = text.lstrip("+-")
    return re.sub(r"^([+-]?)0\.", r"\1.", text)


def difference_text(value: float | None, p_value: float | None) -> str:
    """`+.041 (p = .020)`, or a dash."""
    return "–" if value is None or math.isnan(value) else f"{decimals(value, sign='+')} ({p_words(p_value)})"


def interval_text(figure: Mapping[Any, Any]) -> str:
    """`.812 [.790–.833]`, or a dash for a metric that is not defined."""
    if figure["value"] is None:
        return "–"
    value, low, high = ("–" if figure[key] is None else decimals(figure[key]) for key in ("value", "low", "high"))
    return f"{value} [{low}–{high}]"


def cut(value: Any, length: int) -> str:
    """A value as text of so many characters, with "…" after them where there are more."""
    return text if len(text := str(value)) <= length else f"{text[:length]}…"
