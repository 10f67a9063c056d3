"""Whether card and `.eval_results` say what the record beside them (`run.json`) says: no figure may be added."""

import html
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import ModelCard
from huggingface_hub.repocard import REGEX_YAML_BLOCK

from bioft import task as tasks
from bioft.cards import eval_results, model as cards, words
from bioft.datasets.hpo import context
from bioft.hub import pull
from bioft.metrics import thresholds
from bioft.storage import runs
from bioft.verify.findings import Verification, equal
from bioft.verify.word import SETTINGS, WORD

MOST_CHARACTERS, MOST_EVENTS, DEEPEST = 1_000_000, 50_000, 20
"""Of a card, and of its metadata, that is read: nested anchors of YAML make a few lines endless."""
SHOWN_LINES = 20
METRIC = re.compile(
    r"(?i)\b(au-?(?:ro|pr)?-?c|f1|f-?score|accuracy|precision|recall|mcc|ece|n?dcg|mrr|map|hits|perplexity|sensitivity|"
    r"specificity|spearman|pearson|kappa|brier|jaccard|p-?value|intervals?|better|worse|score[sd]?|correct(?:ly)?|"
    r"error rates?)\b"
)
NAMED = re.compile(
    r"(?i)\b(au-?(?:ro|pr)?-?c|f1|accuracy|precision|recall|mcc|ece|n?dcg|mrr|map|hits|perplexity|sensitivity|specificity|"
    r"spearman|pearson|kappa|brier|jaccard)\b"
)
"""Those of them that name nothing but a result."""
SHARE = re.compile(
    r"(?<![\d.,])(?:0?[.,]\d+|1[.,]0+)(?![\d]*[.,]\d)|\d\s?(?:%|‰|per ?cent\b|pct\b)|\d\s?/\s?10+\b|"
    r"(?i:\d\s(?:out\s)?(?:of|in|per)\s(?:every\s|an?\s|all\s)?(?:10+|hundred|ten|thousand)\b)|"
    r"(?i:\d\s?/\s?\d+\sof\b|\d\shundredths|\b0\spoint\s\d|frac\s*\{)"
)
IMAGE = re.compile(
    r"(?i)!\[|data:image|url\(|"
    r"<(?:img|image|svg|picture|iframe|object|embed|video|audio|canvas|input|style|script|link|table|t[rdh]|d[ltd]|"
    r"meter|progress|base|del|s|strike|font|template|noscript|dialog|textarea|plaintext|xmp|bdo)\b|"
    r"<\w[^<>]*\s(?:hidden\b|(?:style|color|dir)\s*=)|^\s*mermaid\b"
)
"""What shows a result without a text, or hides or strikes out one."""
UNITS = "zero|nought|one|two|three|four|five|six|seven|eight|nine"
TENS = (
    "ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred"
)
SPELLED = re.compile(
    rf"(?i)\b(?:{UNITS}|{TENS})\s?(?:%|‰|per ?cent\b|pct\b)|"
    rf"\b(?:{UNITS}|{TENS})\s(?:out\s)?(?:of|in|per)\s(?:every\s|an?\s|all\s)?(?:ten|hundred|thousand)\b|"
    rf"\b(?:{UNITS})[\s-]point[\s-](?:{UNITS})\b|\bpoint[\s-](?:{UNITS})[\s-](?:{UNITS})\b"
)
"""Shares in English words; with a metric beside it a number from ten on is one too."""
LOOKALIKES = str.maketrans(
    "АВЕКМНОРСТУХаеорсухіјѕΑΒΕΖΗΙΚΜΝΟΡΤΥΧοᴀᴄᴅᴇꜰɪᴍɴᴏᴘʀꜱᴛᴜ·∙⋅․‧٫、٪⁄∕",
    "ABEKMHOPCTYXaeopcyxijsABEZHIKMNOPTYXoacdefimnoprstu......,%//",
)
"""Letters, points and signs that look like others."""
LINE_END = re.compile(r"\r\n|\r|\n")
"""What ends a line, also of a table, where a card is shown: Python knows more, which would put two rows in one."""
UNVERIFIED = WORD - {"log_history"} | SETTINGS | {"base_model"}
"""The fields of the record that no evaluation shows to be so."""
NOTED = 4
"""The first schema of records that hold every note that follows from them."""

EARLIER_LINES = frozenset({"![learning rate](plots/learning_rate.png)", "![loss](plots/loss.png)"})
"""Of cards that did not say yet whose word these plots are."""

EARLIER_NAMES = {"tfidf": ("TF-IDF of the names",)}
"""What cards called baselines before, beside their names in the record."""


def check_card(directory: Path, record: dict[str, Any], found: Verification, *, results_only: bool = False) -> None:
    """Compare everything that the card states with what its record gives; of its text `results_only` if asked."""
    check_words(record, found)
    _check_thresholds(record, found)
    _check_eval_results(directory, record, found)
    notes = record.get("notes") or []
    if other := [note for note in notes if note not in notes_of(record) or notes.count(note) > 1]:
        words = _quoted(list(map(str, other)))
        found.reasons.append(f"{runs.RECORD} has notes that do not follow from it: {words}.")
    missing = [note for note in notes_of(record) if note not in (record.get("notes") or ())]
    if missing and int(record["schema_version"]) >= NOTED:
        found.reasons.append(f"{runs.RECORD} leaves out notes that follow from it: {_quoted(missing)}.")
    elif missing:
        # Else a run made today could name an earlier schema, and keep from its readers what was not as usual.
        found.best = "verified in part"
        found.notes.append(
            f"The record was written before schema {NOTED}: it lacks notes that follow from it: {_quoted(missing)}."
        )
    try:
        text = (directory / runs.CARD).read_text(encoding="utf-8")
    except FileNotFoundError:
        found.notes.append(f"There is no card ({runs.CARD}).")
        return
    except UnicodeDecodeError as error:
        found.reasons.append(f"The card ({runs.CARD}) can't be read: {error}.")
        return
    text = in_todays_words(text, record)
    origin = pull.origin(directory)
    made = cards.model_card(record, repository=origin["id"] if origin else None)
    try:
        _check_simple(text)
        stated = ModelCard(text, ignore_metadata_errors=False)
    except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        found.reasons.append(f"The metadata of the card can't be read: {' '.join(str(error).split())}")
        return
    expected = stated if text == made else ModelCard(made)  # each takes long to be read
    block, written = (REGEX_YAML_BLOCK.search(each) for each in (text, expected.content))
    comments = [line for line in (block[2] if block else "").splitlines() if re.search(r"(^|\s)#", line)]
    if added := [line for line in comments if written is None or line not in written[2].splitlines()]:
        found.reasons.append(f"The card's metadata have comments: {_quoted(added)}.")
    _check_index((yaml.safe_load(block[2]) or {}).get("model-index") or [] if block else [], found)
    _check_metadata(stated.data, expected.data, found)
    strictly = int(record["schema_version"]) >= 3
    _check_text(stated.text.strip(), expected.text.strip(), found, strictly=strictly, whole=not results_only)


def in_todays_words(card: str, record: Mapping[str, Any]) -> str:
    """The text of a card with what cards say today in the place of what earlier ones said of the same."""
    card = re.sub(r"(?m)^(- Hardware: .*, 1) cores,", r"\1 core,", card)
    for its in (record.get("audit") or {}).get("near_duplicates", {}).values():
        for each in its["first"][:1]:
            card = card.replace(
                f"), first {each['id']} of {each['of']}.", f"); the first is {each['id']}, near {each['of']}."
            )
    words = tasks.find(record, pulled=False).baselines
    for name in record.get("baselines") or ():
        for earlier in (name, *EARLIER_NAMES.get(name, ())):
            card = card.replace(f"\n| {earlier} | ", f"\n| {words.get(name) or tasks.called(name)} | ")
    return card


def check_words(record: Mapping[str, Any], found: Verification) -> None:
    """Whether the words of a record, which cards print as they are, state figures."""
    settings = tasks.find(record, pulled=False).settings
    for path, value in _texts({name: record.get(name) for name in sorted({*UNVERIFIED, *settings, "dataset"})}):
        named = NAMED.search(path.replace("_", " ").replace(".", " ")) and not path.startswith("dataset")
        of_run = path.partition(".")[0] in WORD - {"command", "log_history"}
        if (
            (METRIC.search(value) and SHARE.search(value))
            or (named and re.fullmatch(r"-?[\d.e-]+[\s%]*", value))
            or (of_run and (IMAGE.search(value) or "\n" in value))
            or (of_run and SPELLED.search(value))
            or (of_run and NAMED.search(value) and re.search(rf"(?i)\d|\b(?:{TENS})\b", NAMED.sub("", value)))
        ):
            found.reasons.append(f"{runs.RECORD} states a figure where none belongs: {path} is {_quoted([value])}.")


def _check_thresholds(record: Mapping[str, Any], found: Verification) -> None:
    """Whether thresholds that are said to be the default are, of the model, its base and the baselines."""
    for place in ("scoring", "relations", "classifier"):
        about = record.get(place) or {}
        of_systems = [about.get("base_model_threshold"), *(about.get("baseline_thresholds") or {}).values()]
        rules = about.get("thresholds_chosen_on") or [about.get("threshold_chosen_on")] * (1 + len(of_systems))
        stated = about.get("thresholds") or [about.get("threshold"), *of_systems]
        wrong = [its for its, rule in zip(stated, rules, strict=False) if _is_default(rule) and its not in (None, 0.5)]
        if wrong:
            found.reasons.append(f"{runs.RECORD} says that a threshold is the default .5, and names {wrong[0]}.")


def _is_default(rule: Any) -> bool:
    return isinstance(rule, str) and rule.startswith(("default", thresholds.NOT_FROM_DATA[1]))


def _check_eval_results(directory: Path, record: dict[str, Any], found: Verification) -> None:
    """Compare what leaderboards of the Hub read with what the record gives."""
    folder, ours = Path(runs.EVAL_RESULTS).parent, directory / runs.EVAL_RESULTS
    here = (path.relative_to(directory).as_posix() for path in (directory / folder).rglob("*") if path.is_file())
    names = {*here, *(name for name in pull.unlisted(directory) if name.startswith(f"{folder}/"))}
    if ours.is_file():
        stated, expected = ours.read_bytes(), eval_results.eval_results(record, tasks.find(record, pulled=False))
        if expected is not None and stated.split() == expected.encode().split():
            names -= {runs.EVAL_RESULTS}
    if names:
        found.reasons.append(f"Results that {runs.RECORD} does not give are in {', '.join(sorted(names))}.")


def notes_of(record: Mapping[str, Any]) -> list[str]:
    """What recipes note of a record: which thresholds validation did not choose, context of prompts, cut texts."""
    chosen: dict[str, Any] = {}
    notes: list[str | None] = []
    for place in ("scoring", "relations", "classifier"):
        about = record.get(place) or {}
        if (how := about.get("threshold_chosen_on")) not in (None, *thresholds.NOT_FROM_DATA):
            chosen[place] = how
        chosen |= dict(zip(record.get("labels") or (), about.get("thresholds_chosen_on") or (), strict=False))
        if "context" in about:
            with suppress(KeyError, TypeError):  # then the record has none that follows from it
                notes.append(context.in_words(about["context"]))
        if "texts_cut" in about:
            with suppress(KeyError, TypeError, ValueError, AttributeError):
                notes.append(words.texts_cut(about["prompt"]["max_length"], about["texts_cut"]))
    return [*filter(None, notes), *filter(None, [thresholds.note(chosen)])]


def _check_simple(card: str) -> None:
    """Raise ValueError for a card whose metadata are no plain lists and mappings of a sensible size."""
    if len(card) > MOST_CHARACTERS:
        raise ValueError(f"a card of {len(card):,} characters is not read.")
    depth = 0
    block = REGEX_YAML_BLOCK.search(card)
    if block is None and card.lstrip("\ufeff \t\r\n").startswith("---"):
        raise ValueError("they begin otherwise than with a line of --- alone: some readers find them all the same.")
    text = block[2] if block else ""
    for number, event in enumerate(yaml.parse(text, yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise ValueError("they have anchors or aliases (& and *).")
        if depth > DEEPEST or number > MOST_EVENTS:
            raise ValueError("they are nested too deeply, or too long.")
    nodes = [yaml.compose(text, yaml.SafeLoader)]
    while nodes:
        if isinstance(node := nodes.pop(), yaml.MappingNode):
            keys = [str(key.value) for key, _ in node.value]
            if twice := sorted({key for key in keys if keys.count(key) > 1}):
                raise ValueError(f"they have {', '.join(twice)} twice.")
            nodes += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            nodes += node.value


def _check_index(index: Sequence[Mapping[str, Any]], found: Verification) -> None:
    """Whether a model-index has results of one model, and nothing beside: of others huggingface_hub reads nothing."""
    if len(index) > 1 or any(entry.keys() - {"name", "results"} for entry in index):
        found.reasons.append("The card's metadata state results of other models, or what no model-index has.")


def _check_metadata(stated: Any, recorded: Any, found: Verification) -> None:
    """Compare base model, data, figures and all else in the metadata of two cards."""
    ours, theirs = recorded.to_dict(), stated.to_dict()
    if stated.get("eval_results"):  # which are in the metadata under the name of their model
        ours["model_name"], theirs["model_name"] = recorded.get("model_name"), stated.get("model_name")
    changed = [key for key in sorted({*ours, *theirs} - {"model-index"}) if not equal(theirs.get(key), ours.get(key))]
    for key in changed:
        words = f"The card's metadata name {key} {theirs.get(key)}; {runs.RECORD} gives {ours.get(key)}."
        added = set(map(str, theirs.get(key) or ())) - set(map(str, ours.get(key) or ())) if key == "tags" else ()
        of_another = any(tag.startswith(("base_model:", "dataset:")) for tag in added)
        serious = key in ("base_model", "datasets") or of_another
        serious = serious or _states_figure(f"{key.replace('_', ' ')} {theirs.get(key, '')}")
        (found.reasons if serious else found.notes).append(words)
    figures, known = _indexed_figures(stated), _indexed_figures(recorded)
    for figure in figures:
        if figure not in known:
            found.reasons.append(
                f"The card's metadata state a figure that {runs.RECORD} does not give: {_words(figure)}. It gives: "
                f"{'; '.join(_words(other) for other in known if other[1] == figure[1]) or 'nothing of that name'}."
            )
    if len(figures) < len(known):
        left_out = "1 figure" if (n := len(known) - len(figures)) == 1 else f"{n:,} figures"
        found.notes.append(f"The card's metadata leave out {left_out} of {runs.RECORD}.")
        found.best = "verified in part"


def _check_text(text: str, expected: str, found: Verification, *, strictly: bool, whole: bool) -> None:
    """Compare the lines of two cards: others than bioft's may state nothing that looks like a figure.

    Cards of earlier versions have other words around their figures: of these, or if not the `whole` card is to be
    compared, it is the results alone.
    """
    ours = {_spaced(line) for line in expected.splitlines()} | EARLIER_LINES
    # A line is one of bioft's if it is so to the last character: others show other digits, or none, in its place.
    left = "\n".join("" if _spaced(line) in ours else line for line in LINE_END.split(text))
    # What stands in comments is shown by some readers, as amid code.
    added = list(dict.fromkeys([*_lines(left), *_lines(left, comments=True)]))
    known = {*_lines(expected), *_lines(expected, comments=True)}
    results = set(_result_lines(text)) - (set() if strictly else known) - EARLIER_LINES
    foreign = [line for line in added if line in results or (whole and strictly and _states_figure(line))]
    foreign += [
        f"{one} {other}"
        for one, other in pairwise(_lines(text) if whole and strictly else ())
        if other not in known and NAMED.search(_plain(one)[-30:]) and re.match(r"\W*\w{0,4}\W*\d", _plain(other))
    ]
    rows = _rows(expected)
    moved = {(head, row) for head, row in _rows(text) - rows if head in dict(rows) and row in ours}
    foreign += sorted(f"{row} (below {head})" for head, row in moved)
    if foreign:
        found.reasons.append(f"The card's results are not those of {runs.RECORD}: {_quoted(foreign)}.")
    if missing := known - set(_lines(text)):
        what = "Lines"
        if missing & set(_result_lines(expected)):  # such as the row of a baseline that is better
            what, found.best = "Lines with results", "verified in part"
        found.notes.append(f"{what} of {runs.RECORD} were taken out of the card: {_quoted(sorted(missing))}.")
    if unchecked := [line for line in added if line not in foreign]:
        found.notes.append(
            f"{len(unchecked):,} lines of the card are not those that this bioft writes. Not checked: "
            f"{_quoted(unchecked)}."
        )


def _states_figure(line: str) -> bool:
    """Whether a line looks as if it stated a result: a share, a metric with a number, a row of a table, a plot."""
    plain = _plain(line)
    untagged = re.sub(r"</?[a-zA-Z][^<>]*>", "", plain)
    squeezed = re.sub(r"\]\([^()]*\)|[^\w\s.,%‰/]|_", "", untagged)
    without_metrics = METRIC.sub("", untagged)
    numbered = METRIC.search(untagged) is not None and re.search(r"\d", without_metrics) is not None
    in_table = plain.startswith("|") or ("|" in plain and re.search(r"\d", plain) is not None)
    hidden = re.search(r"(?<![\w.,])0?[.,]\d", squeezed) or re.search(r"\d\s?[%‰]", squeezed)
    # Another sign in the place of a point, and a metric whose letters stand apart.
    hidden = hidden or re.search(r"(?<![\w.,])0[^\w\s:;–—/()\[\]|-]\d", untagged) or SPELLED.search(untagged)
    numbered = numbered or (
        METRIC.search(untagged) is not None and re.search(rf"(?i)\b(?:{TENS})\b", untagged) is not None
    )
    if not numbered and re.search(r"\b\w \w \w\b", untagged):
        joined = re.sub(r"(?<=\b[^\W\d]) (?=[^\W\d]\b)", "", untagged)
        numbered = NAMED.search(joined) is not None and re.search(r"\d", untagged) is not None
    return bool(in_table or IMAGE.search(line) or SHARE.search(untagged) or SHARE.search(plain) or hidden or numbered)


def _plain(line: str) -> str:
    """A line with Latin letters, digits and points in the place of those that look like them."""
    return "".join(str(unicodedata.digit(each, each)) for each in line.translate(LOOKALIKES))


def _spaced(line: str) -> str:
    """A line as it is, but for how many spaces stand between words."""
    return " ".join(line.split())


def _rows(body: str) -> set[tuple[str, str]]:
    """The rows of tables, each with the head of its table."""
    found, head = set(), ""
    for line in filter(None, map(_spaced, LINE_END.split(body))):
        head = (head or line) if line.startswith("|") else ""
        found |= {(head, line)} if head else set()
    return found


def _lines(body: str, *, comments: bool = False) -> list[str]:
    """The lines of Markdown as a reader sees them: without comments, mark-up inside numbers, and hidden characters.

    With `comments` what stands in these is taken for text.
    """
    body = re.sub(r"<!--+>?|--+!?>", " ", body) if comments else re.sub(r"<!--.*?(-->|\Z)", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^<>]*>", lambda tag: tag[0].replace("\n", " "), html.unescape(body))
    body = re.sub(r"(?<=[\d.,])[\u2000-\u200a\u202f\u205f]+(?=[\d.,%])", "", body)
    body = unicodedata.normalize("NFKC", body)
    body = body.translate({ord(each): None for each in set(body) if unicodedata.category(each) in ("Cf", "Mn", "Me")})
    body = re.sub(r"[*`\\]|(?<=[\d.,])_+|_+(?=[\d.,])|</?\w[^<>]{0,20}>(?=[\d.,%])", "", body)
    body = re.sub(r"([\d.,])[ \t]*\n[ \t]*(?=[.,]?\d+[ \t]*$)", r"\1", body, flags=re.MULTILINE)
    return [line for each in body.splitlines() if (line := " ".join(each.split()))]


def _indexed_figures(metadata: Any) -> list[tuple[Any, ...]]:
    """The figures of the model-index: metric's type and name, value, low, high, n, and the data they are about."""
    return [
        (
            *(each.metric_type, each.metric_name, each.metric_value),
            *((each.metric_args or {}).get(key) for key in ("low", "high", "n")),
            *(each.dataset_type, each.dataset_split, each.dataset_revision),
            sorted((name, str(its)) for name, its in vars(each).items() if its is not None),
        )
        for each in metadata.get("eval_results") or []
    ]


def _words(figure: tuple[Any, ...]) -> str:
    _, name, value, low, high, n, dataset, split, *_ = figure
    return f"{name} {value} [{low}, {high}] of {n} on {dataset}, {split}"


def _result_lines(body: str) -> list[str]:
    """The lines that state results: the verdict in bold at the head, and the section of results.

    Below a heading inside that section only tables and bold lines count: what stands there is about other things.
    """
    head, *sections = body.split("\n## ")
    lines = [line for line in head.splitlines() if line.startswith("**")]
    for section in sections:
        if section.startswith("Results"):
            first, _, rest = section.partition("\n### ")
            lines += [*first.splitlines(), *(line for line in rest.splitlines() if line.startswith(("|", "**")))]
    return _lines("\n".join(line for line in lines if any(character.isdigit() for character in line)))


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a part of the record, each with its place."""
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield path, str(value)
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, its in items:
        yield from _texts(its, f"{path}.{key}".lstrip("."))


def _quoted(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - SHOWN_LINES:,} more" if len(lines) > SHOWN_LINES else ""
    return "; ".join(f"“{line[:200]}”" for line in lines[:SHOWN_LINES]) + more
