"""What the surface of a dataset gives away: how well its labels are predicted without reading a word.

Of every column a small forest sees what nobody would call knowledge: how long a value is, its case, digits and
punctuation, the spaces around it, the number and the letters of an id, how many rows have it. Trees find what several
of these say together. Labels that they predict on the test split leak, however good a model looks beside them.
"""

import re
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa  # type: ignore[import-untyped]
from datasets import Dataset
from numpy.typing import NDArray

from bioft.datasets.near_duplicates import at_most
from bioft.storage.datasets import remembered
from bioft.storage.files import forget

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PERMUTATIONS = 999
"""Of the labels of the test split."""
MAX_TRAIN, MAX_TEST = 20_000, 50_000
"""Rows of the splits that the forest sees, drawn at random; how many have a value is counted in `MOST` of them."""
LEAST_TRAIN, LEAST_TEST = 200, 50
"""Rows below which nothing is measured: it would be noise."""
LEAST_OF_LABEL = 5
"""Rows of either split that have a label, and that lack it, for it to be measured."""
SHOWN = 3
"""Features that a result names."""
_CODED = 50
"""Distinct values up to which the forest may tell those of a column that is no input apart."""
_OTHERWISE = 0.95
"""A column that is the same for all rows of a label tells it if fewer of the other rows have that value."""
_KINDS = ("capitals", "small letters", "digits", "spaces", "punctuation", "other characters")
OVERLOOKED_ROWS = 5_000
"""Rows of either split of which details are looked at."""
TELLING = 0.1
"""By how much an AUROC of details must be farther from .5 than that of all else for them to be named."""
SIGNS = 20
"""What stands between words, most frequent first, that is looked at in a column, if more than one in a hundred texts
has it and one in a hundred has not; and words that so many texts begin or end with that they are a frame of them."""
_FRAME = 0.2
_PIECE = 1_000
_NUMBER = re.compile(r"\d{1,15}")
_BETWEEN = re.compile(r"[\W_]+")


@remembered
def surface(train: Dataset, test: Dataset, label: str, inputs: Sequence[str]) -> dict[str, Any]:
    """How well the labels of a dataset are predicted from its surface; the part of an audit that JSON can hold.

    `label` is the column to predict (0 and 1, one of several values, or lists of them), `inputs` are those that models
    read. Returns `inputs`, of the surface of these, and `every_column`, of that of all columns and of the order of the
    rows: see `predicted`; and `telling_columns` (see there), which are left out of both.
    """
    train, test = map(_frame, (train, test))
    found = telling_columns(train, label, inputs)
    telling = {each["column"] for each in found}
    others = [str(name) for name in train if name not in {label, *inputs} | telling]
    # In half the memory: forests see no more of a number.
    read, read_test = (features(rows, inputs).astype(np.float32) for rows in (train, test))
    rest, rest_test = (features(rows, (), others, order=True).astype(np.float32) for rows in (train, test))
    every, every_test = (pd.concat(its, axis=1) for its in ((read, rest), (read_test, rest_test)))
    told = {
        "inputs": {"columns": [*inputs]} | predicted(read, train[label], read_test, test[label]),
        "every_column": {"columns": [*inputs, *others]} | predicted(every, train[label], every_test, test[label]),
    }
    details = overlooked([(rows, rows[label]) for rows in (train, test)], inputs, others)
    return told | {"telling_columns": found} | more_telling(details, *told.values())


def _frame(rows: Dataset) -> pd.DataFrame:
    """`at_most` so many rows; in pieces, as `datasets` makes a table of each row of those at distances."""
    chosen = at_most(rows).with_format("arrow")
    pieces = [chosen[start : start + _PIECE].combine_chunks() for start in range(0, len(chosen), _PIECE)]
    frame = pa.concat_tables(pieces or [chosen[:]]).to_pandas()
    forget()
    return frame


def predicted(
    table: pd.DataFrame, labels: pd.Series, test_table: pd.DataFrame, test_labels: pd.Series, seed: int = 0
) -> dict[str, Any]:
    """Predict labels from a table of numbers, as `features` gives them, with a forest that is fitted on train.

    Returns `auroc` on the test split, the mean over labels where there are several (each against the rest); `p`, that
    of a permutation test of it in both directions (`PERMUTATIONS` of the test labels); `n` test rows; and the features
    (`top`) without which it falls most. `auroc` and `p` are None where rows or labels are too few.
    """
    from sklearn.ensemble import RandomForestRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    rng = np.random.default_rng(seed)
    test_table = test_table.reindex(columns=table.columns)  # a short split may look as if it had other columns
    (x, truth), (x_test, truth_test) = _arrays((table, test_table), (labels, test_labels), rng)
    result: dict[str, Any] = {"auroc": None, "p": None, "n": len(x_test), "top": []}
    if len(x) < LEAST_TRAIN or len(x_test) < LEAST_TEST or not truth.shape[1] or x.empty:
        return result
    sample = min(2_000, len(x) // 2)
    forest = RandomForestRegressor(20, max_depth=6, min_samples_leaf=5, max_features=0.33, max_samples=sample)
    forest.set_params(random_state=seed)

    def area(predicted: Floats) -> float:
        return float(np.mean(auroc(truth_test, predicted.reshape(truth_test.shape))))

    with threadpool_limits(1):  # small trees: threads only get in each other's way
        forest.fit(x, truth[:, 0].astype(np.float64) if truth.shape[1] == 1 else truth.astype(np.float64))
        predicted = forest.predict(x_test).reshape(truth_test.shape)
        value = area(predicted)
        result |= {"auroc": round(value, 3), "top": _top(forest, x_test, area, value, rng)}
    return result | {"p": round(_permutation_p(truth_test, predicted, rng), 3)}


def _permutation_p(truth: Bools, scores: Floats, rng: np.random.Generator) -> float:
    """How often shuffled labels have a mean AUROC as far from .5 as these have, they themselves among them."""
    from scipy.stats import rankdata  # a second of imports

    positives = truth.sum(axis=0)
    # The area is linear in the ranks: so is the mean of the areas.
    weights = (rankdata(scores, axis=0) - (len(truth) + 1) / 2) / (positives * (len(truth) - positives))
    found = abs(float((weights * truth).sum()))
    shuffled = (float((weights * truth[rng.permutation(len(truth))]).sum()) for _ in range(PERMUTATIONS))
    return (1 + sum(abs(each) >= found - 1e-12 for each in shuffled)) / (1 + PERMUTATIONS)


def telling_columns(rows: pd.DataFrame, label: str, inputs: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The columns that are no input and empty, or the same, for all rows of a label, while those of others differ.

    Returns for each of them `column`, `label`, `value` ("" for empty) and `of_others`, the share of the rows without
    that label that have the value too.
    """
    known = _known(rows[label])
    truth = indicators(rows[label], known)
    found = []
    for column in [name for name in rows if name not in {label, *inputs}]:
        empty = [value is None or (_is_list(value) and not len(value)) for value in rows[column]]
        texts = np.array(["" if none else str(value) for none, value in zip(empty, rows[column], strict=True)], object)
        for name, its in zip(known, truth.T, strict=True):
            values = set(texts[its]) if its.sum() >= LEAST_OF_LABEL else set()
            if len(values) == 1 and not its.all():
                value = values.pop()
                share = float((texts[~its] == value).mean())
                if share < _OTHERWISE:
                    found.append({"column": column, "label": name, "value": value[:40], "of_others": round(share, 4)})
    return found


def features(
    rows: pd.DataFrame, inputs: Sequence[str], others: Sequence[str] = (), order: bool = False
) -> pd.DataFrame:
    """The surface of columns, all numbers, one row for each row: "column: feature"; NaN where there is nothing.

    Of texts characters, words, the shares of `_KINDS`, the spaces before and after, and how many rows have the same
    one; of ids (no space in any) also their first number and the letters before it; of lists how many items they have;
    of numbers the number. Those of `others` with few values give these too.
    """
    found: dict[str, Any] = {}
    its: dict[str, Any]
    for name in (*inputs, *others):
        column = rows[name]
        first = next((value for value in column if value is not None), None)
        if isinstance(first, str):
            # Each text is looked at once, however many rows have it.
            codes, texts = pd.factorize(np.array([value or "" for value in column], dtype=object))
            its = {what: np.asarray(its)[codes] for what, its in _text_features(texts.tolist()).items()}
            its["rows with it"] = column.map(column.value_counts()).fillna(0)
            if name in others and column.nunique() <= _CODED:
                its["value"] = np.array([zlib.crc32(text.encode()) for text in texts])[codes]
        elif isinstance(first, Sequence | np.ndarray):
            its = {"items": [0 if value is None else len(value) for value in column]}
        else:
            its = {"value": pd.to_numeric(column, errors="coerce")}
        found |= {f"{name}: {what}": values for what, values in its.items()}
    if order:
        found["order of the rows"] = np.arange(len(rows)) / max(len(rows) - 1, 1)
    return pd.DataFrame({name: np.asarray(its, dtype=np.float64) for name, its in found.items()})


def overlooked(
    splits: Sequence[tuple[pd.DataFrame, pd.Series]], inputs: Sequence[str], others: Sequence[str] = ()
) -> dict[str, Any]:
    """What details that a reader overlooks tell of labels: what `predicted` returns, of some rows with their labels.

    Of texts it is what stands between their words (two spaces, a tab, a kind of dash), before and after them, and the
    words that many begin or end with; of the `others`, which no model reads, also the last character, the second and
    third number, and what is around numbers.
    """
    steps = [-(-len(rows) // OVERLOOKED_ROWS) or 1 for rows, _ in splits]
    splits = [(rows[::step], labels[::step]) for (rows, labels), step in zip(splits, steps, strict=True)]
    tables: list[dict[str, Any]] = [{} for _ in splits]
    for name in (*inputs, *others):
        columns = [[_as_text(value) for value in rows[name]] for rows, _ in splits]
        signs = [[_signs(text) for text in texts] for texts in columns]
        chosen, few = _frequent(signs[0]), len(set(map(_shape, columns[0]))) <= _CODED
        for table, texts, its in zip(tables, columns, signs, strict=True):
            table |= {f"{name}: {sign!r}": [each[sign] for each in its] for sign in chosen}
            if name in others:
                numbers = [[*map(float, _NUMBER.findall(text)), -1.0, -1.0, -1.0] for text in texts]
                table |= {f"{name}: number {place + 1}": [each[place] for each in numbers] for place in (1, 2)}
                table[f"{name}: last character"] = [ord(text[-1]) if text else -1 for text in texts]
                if few:
                    table[f"{name}: around numbers"] = [zlib.crc32(_shape(text).encode()) for text in texts]
    train, test = (pd.DataFrame(table).astype(np.float32) for table in tables)
    return predicted(train, splits[0][1], test, splits[1][1])


def _frequent(signs: Sequence[Counter[str]]) -> list[str]:
    """The signs that texts are told apart by: see `SIGNS`."""
    n_texts = Counter(sign for its in signs for sign in its)
    shares = {sign: n / len(signs) for sign, n in n_texts.most_common()}
    least = {sign: _FRAME if any(map(str.isalnum, sign)) else 0.01 for sign in shares}
    return [sign for sign, share in shares.items() if least[sign] <= share <= 0.99][:SIGNS]


def more_telling(details: dict[str, Any], *others: Mapping[str, Any]) -> dict[str, Any]:
    """`details`, if no labels that were shuffled are told as well and these by `TELLING` better than by the others."""
    if details["auroc"] is None or details["p"] > 1 / PERMUTATIONS:
        return {}
    beside = max(0.0 if its["auroc"] is None else abs(its["auroc"] - 0.5) for its in others)
    return {"details": details} if abs(details["auroc"] - 0.5) >= beside + TELLING else {}


def _as_text(value: Any) -> str:
    return "" if value is None or _is_list(value) else str(value)


def _signs(text: str) -> Counter[str]:
    """What stands between the words of a text, and how often; also before ("^…") and after them ("…$")."""
    framed = f"^{text}$"
    found = Counter(_BETWEEN.findall(framed))
    words = framed.split()
    found.update({words[0]: 1, words[-1]: 1})
    return found


def _shape(text: str) -> str:
    return _NUMBER.sub("0", text)


def indicators(labels: Sequence[Any] | pd.Series, known: Sequence[Any]) -> Bools:
    """Whether each row has each of the known labels, shape (rows, labels)."""
    place = {label: index for index, label in enumerate(known)}
    found = np.zeros((len(labels), len(known)), dtype=bool)
    of_rows = ((row, its if _is_list(its) else (its,)) for row, its in enumerate(labels))
    marked = [(row, place[each]) for row, its in of_rows for each in its if each in place]
    found[tuple(np.array(marked, dtype=np.intp).reshape(-1, 2).T)] = True
    return found


def auroc(truth: Bools, scores: Floats) -> Floats:
    """The area under the ROC curve of each column, shape (columns,); both kinds of rows are in each."""
    from scipy.stats import rankdata  # a second of imports

    positives = truth.sum(axis=0)
    above = (rankdata(scores, axis=0) * truth).sum(axis=0) - positives * (positives + 1) / 2
    return above / (positives * (len(truth) - positives))


def _arrays(
    tables: Sequence[pd.DataFrame], labels: Sequence[pd.Series], rng: np.random.Generator
) -> list[tuple[pd.DataFrame, Bools]]:
    """The features of either split, and the labels that both have: of two that exclude each other the second."""
    known = _known(labels[0])
    if len(known) == 2 and not any(map(_is_list, labels[0])):
        known = known[1:]
    truths = [indicators(its, known) for its in labels]
    enough = [(np.minimum(its.sum(axis=0), (~its).sum(axis=0)) >= LEAST_OF_LABEL) for its in truths]
    found: list[tuple[pd.DataFrame, Bools]] = []
    for table, truth, most in zip(tables, truths, (MAX_TRAIN, MAX_TEST), strict=True):
        chosen = np.sort(rng.choice(len(table), min(most, len(table)), replace=False))
        table = table.iloc[chosen].fillna(-1.0).astype(np.float32)
        found.append((table, truth[chosen][:, enough[0] & enough[1]]))
    return found


def _top(forest: Any, test: pd.DataFrame, area: Any, value: float, rng: np.random.Generator) -> list[str]:
    """The features whose shuffling on the test split brings the area nearest to chance, those that matter first."""
    lost, values = {}, test.to_numpy()
    together = max(1, 20_000 // len(test))  # a forest is quicker if it is asked seldom
    for some in (range(test.shape[1])[start : start + together] for start in range(0, test.shape[1], together)):
        shuffled = np.tile(values, (len(some), 1, 1))
        for its, column in zip(shuffled, some, strict=True):
            its[:, column] = rng.permutation(values[:, column])
        predicted = forest.predict(pd.DataFrame(np.concatenate(shuffled), columns=test.columns))
        for column, found in zip(some, np.split(predicted, len(some)), strict=True):
            lost[str(test.columns[column])] = abs(value - 0.5) - abs(area(found) - 0.5)
    return [name for name, loss in sorted(lost.items(), key=lambda each: -each[1])[:SHOWN] if loss > 0.005]


def looks(texts: Sequence[str]) -> dict[str, Floats]:
    """How many characters each text has, and the shares of `_KINDS` among them."""
    sizes = np.array([len(text) for text in texts], dtype=np.float64)
    encoded = (np.frombuffer(text.encode("utf-8", "replace"), np.uint8) for text in texts)
    kinds = np.array([np.bincount(_KIND_OF[its], minlength=len(_KINDS)) for its in encoded]).reshape(-1, len(_KINDS))
    shares = kinds / np.maximum(sizes, 1)[:, None]
    return {"characters": sizes} | {what: shares[:, index] for index, what in enumerate(_KINDS)}


def _text_features(texts: list[str]) -> dict[str, Any]:
    its = looks(texts)
    found: dict[str, Any] = {
        "characters": its.pop("characters"),
        "words": [len(text.split()) for text in texts],
        **its,
    }
    found["spaces before"] = [len(text) - len(text.lstrip()) for text in texts]
    found["spaces after"] = [len(text) - len(text.rstrip()) for text in texts]
    if not any(" " in text.strip() for text in texts):
        numbers = [_NUMBER.search(text) for text in texts]
        letters = [text[: its.start()] if its else text for text, its in zip(texts, numbers, strict=True)]
        found["number"] = [float(its[0]) if its else np.nan for its in numbers]
        # As one number in alphabetical order.
        found["letters"] = [int.from_bytes(its.encode("utf-8", "replace")[:3].ljust(3, b"\0")) for its in letters]
    return found


def _kind_of(byte: int) -> int:
    character = chr(byte)
    tests = (str.isupper, str.islower, str.isdigit, str.isspace, str.isprintable)
    return next((kind for kind, test in enumerate(tests) if byte < 128 and test(character)), len(tests))


_KIND_OF = np.array([_kind_of(byte) for byte in range(256)])


def _known(labels: pd.Series) -> list[Any]:
    return sorted({each for its in labels for each in (its if _is_list(its) else (its,))})


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | np.ndarray)
