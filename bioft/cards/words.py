"""The words of cards: metrics, audits, splits, licences; and how a template is filled."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from bioft import metrics, task as tasks

HUB = "https://huggingface.co"
PLACEHOLDER = "<this repository>"
"""What a card says where it names its repository, as long as it is in none."""
SPLIT_WORDS = {
    "official": "as the corpus was published",
    "document": "random documents",
    "text": "random texts; alike ones (equal but for numbers, or sharing a long paragraph) are in the same split",
    "normalised_text": "random texts, each label in every split; texts equal but for case and punctuation are one",
    "component": "random groups of articles that citations connect: none is in two splits",
    "article": "random articles: none is in two splits; citations between splits make no pairs",
    "paired_text": "random groups of texts that positive pairs connect: no text is in two splits",
    "term": "random terms: no term is in two splits",
    "compound": "random compounds: no compound is in two splits",
    "held-out models": "validation and test have the compounds of models of which no compound is trained on",
    "pair": "random pairs: genes and diseases of the test split may occur in training too",
    "gene_held_out": "no gene of the test split occurs in training",
    "disease_held_out": "no disease of the test split occurs in training",
    "both_held_out": "neither gene nor disease of any test pair occurs in training",
}
NEGATIVE_WORDS = {
    "uniform": "drawn uniformly among the split's genes and diseases. How often a name occurs gives much "
    "of the label away; compare with the popularity baselines",
    "degree_matched": "the positives of each split rewired, so that every gene and disease occurs as often "
    "among its negatives as among its positives",
}
# Licence ids that the Hub takes as they are (https://hf.co/docs/hub/repositories-licenses), but for "other".
_HUB_LICENSES = """
afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bigcode-openrail-m bigscience-bloom-rail-1.0 bigscience-openrail-m bsd
bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0
cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0
cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gemma gfdl gpl gpl-2.0
gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3 lppl-1.3c mit mpl-2.0 ms-pl
ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0 pddl postgresql unknown unlicense wtfpl zlib
"""
HUB_LICENSES = frozenset(_HUB_LICENSES.split())
HUB_ID = re.compile(r"(?!\.)[\w.-]+(?:/[\w.-]+)?")


def metric_type_and_words(name: str) -> tuple[str, str]:
    """Return the Hub's name of a metric of the record, and its name in words: ("f1", "F1, chemical")."""
    group, _, measure = name.rpartition("_")
    if name in metrics.WORDS or measure not in metrics.WORDS:
        return metrics.WORDS.get(name, (name, name.replace("_", " ")))
    kind, words = metrics.WORDS[measure]
    return kind, f"{words}, {group.replace('_', ' ')}"


def audit_in_words(audit: dict[str, Any]) -> list[str]:
    """Return one sentence per finding of a dataset's audit: shortcuts, what was clean, overlap, leakage."""
    sentences = []
    clean = []
    for shortcut in audit.get("shortcuts", []):
        figure = (
            f"AUROC {shortcut['auroc']:.3f} [{shortcut['low']:.3f}, {shortcut['high']:.3f}] on {shortcut['split']}"
        )
        if shortcut["flag"] == "shortcut":
            sentences.append(
                f"Shortcut: “{shortcut['predictor']}” alone reaches {figure}, with no knowledge of biology."
            )
        elif shortcut["flag"] == "inverted shortcut":
            sentences.append(
                f"Inverted shortcut: “{shortcut['predictor']}” alone reaches {figure}, below 0.5: a model can "
                "learn its reverse."
            )
        elif shortcut["flag"]:
            sentences.append(f"{shortcut['flag']}: “{shortcut['predictor']}”, {figure}.")
        else:
            clean.append(f"“{shortcut['predictor']}” ({shortcut['auroc']:.3f})")
    if sentences:
        sentences.append("So a score on this test split says little without those of the baselines beside it.")
    if clean:
        sentences.append(f"No shortcut (the interval of AUROC holds 0.5): {', '.join(clean)}.")
    overlap = {side: splits["test"] for side, splits in audit.get("entity_overlap", {}).items() if "test" in splits}
    if overlap:
        fractions = [f"{found['rows_in_train_fraction']:.1%} have a {side}" for side, found in overlap.items()]
        sentences.append(f"Of the test rows, {' and '.join(fractions)} that also occurs in train.")
    for kind, seen in audit.get("seen_in_train", {}).get("test", {}).items():
        if "relations" in seen:
            sentences.append(f"{kind}: of {seen['relations']:,} relations in test, {seen['seen']:.1%} occur in train.")
        elif kind != "all":
            sentences.append(
                f"{kind}: of {seen['mentions']:,} mentions in test, {seen['name_seen']:.1%} have a name that also "
                f"occurs in train; of {seen['linked']:,} with an identifier, {seen['concept_seen']:.1%} have one that "
                "does."
            )
    if unmeasured := audit.get("labels_without_test"):
        sentences.append(f"No text of the test split has the label {' or '.join(unmeasured)}: nothing is known of it.")
    if conflicts := audit.get("texts_with_conflicting_labels"):
        sentences.append(f"{conflicts:,} texts had other labels elsewhere in the source; the most frequent were kept.")
    if confounding := audit.get("confounding"):
        figures = [
            f"{words} {confounding[name]['macro_f1']:.3f}"
            for name, words in (("source_alone", "the file that a text is from"), ("topic_alone", "words without sex"))
        ]
        sentences.append(
            f"Confounded: macro F1 on test (n = {confounding['n']:,}) is {confounding['majority']['macro_f1']:.3f} "
            f"with the most frequent label always, and from what is not about the label: {', '.join(figures)}."
        )
    for shared in audit.get("published_overlap", []):
        sentences.append(
            f"As published, {shared['shared']:,} of the {shared['texts']:,} texts of {shared['file']} are in "
            f"{shared['other']} too."
        )
    for split, foreign in audit.get("perhaps_not_english", {}).items():
        if foreign["texts"]:
            sentences.append(
                f"Perhaps not English (hardly any common English word): {foreign['texts']:,} texts of {split}, first "
                f"{', '.join(foreign['first'])}."
            )
    checks = audit.get("checks", {})
    leaks = [f"{check.replace('_', ' ')}: {count:,}" for check, count in checks.items() if count]
    if leaks:
        sentences.append(f"Leakage found: {'; '.join(leaks)}.")
    elif checks:
        sentences.append(
            f"No leakage found; checked, 0 each: {', '.join(check.replace('_', ' ') for check in checks)}."
        )
    return sentences


def without_local_paths(value: Any) -> Any:
    """Return a copy of a JSON-able value in which every local path is reduced to its last part."""
    if isinstance(value, dict):
        return {key: without_local_paths(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_local_paths(item) for item in value]
    if not isinstance(value, str):
        return value
    # A whole value, or what follows `--key=`, may be a path with spaces in it.
    option, equals, rest = value.partition("=") if value.startswith("-") else ("", "", value)
    if _ABSOLUTE.match(rest) and "\n" not in rest:
        return option + equals + _last_part(rest)
    return _PATH.sub(lambda match: _last_part(match.group()), value)


_ABSOLUTE = re.compile(r"/|~[/\\]|[A-Za-z]:[\\/](?!/)|\\\\|file://")
# Inside a text: not the slash of a URL, of "marker/mechanism" or of a Hub id.
_PATH = re.compile(r"(?<![\w:/.~<])(?:file://|~?/|\.{1,2}/|[A-Za-z]:\\)(?=[\w.~/])[^\s'\"`,;()\[\]]+")


def _last_part(path: str) -> str:
    kind = PureWindowsPath if "\\" in path else PurePosixPath
    return kind(path).name


def license_fields(record: dict[str, Any], link: str | None = None) -> dict[str, Any]:
    """Return `license` as the Hub wants it: "other" with name and link for what it does not know."""
    license_id = record.get("license") or "unknown"
    if license_id in HUB_LICENSES:
        return {"license": license_id}
    name = record.get("license_name") or license_id
    link = record.get("license_link") or link
    return {"license": "other", "license_name": name, **({"license_link": link} if link else {})}


def is_number(value: Any) -> bool:
    """Whether a value of a record is a number that can be shown."""
    return isinstance(value, int | float) and math.isfinite(value)


def source_words(record: dict[str, Any]) -> dict[str, Any]:
    """Return terms and citations without repeats (a source may have several files), and descriptions."""
    arguments = record["arguments"]
    sources = record["sources"]
    split = arguments.get("split") or record.get("split", {}).get("strategy", "")
    return {
        "split": split,
        "terms": unique(source["terms"] for source in sources if source.get("terms")),
        "citations": unique(source["citation"] for source in sources if source.get("citation")),
        "split_words": SPLIT_WORDS.get(split, ""),
        "negative_words": NEGATIVE_WORDS.get(arguments.get("negatives", ""), ""),
    }


def unique(values: Iterable[str]) -> list[str]:
    """The values without repeats, in their order."""
    return list(dict.fromkeys(values))


def _figure(figures: dict[str, Any] | None) -> str:
    """Show a metric with its interval: "0.838 [0.832, 0.844]"."""
    if not figures or not is_number(figures.get("value")):
        return "–"
    text = f"{figures['value']:.3f}"
    if is_number(figures.get("low")) and is_number(figures.get("high")):
        text += f" [{figures['low']:.3f}, {figures['high']:.3f}]"
    return text


def _cell(value: Any, length: int = 80) -> str:
    """Keep a value inside its Markdown table cell, long ones cut."""
    text = " ".join(str(value).split())
    text = text if len(text) <= length else f"{text[:length]}…"
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _source_link(source: Mapping[str, Any]) -> str:
    """Name a source file, with a link where its source has a page."""
    name = _cell(source["name"])
    return f"[{name}]({source['url']})" if source.get("url") else name


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


class _Missing(StrictUndefined):
    """A field that the record lacks: also formatting it says which."""

    __format__ = StrictUndefined.__str__  # type: ignore[assignment]


def render(template: str, package: str = "bioft.cards", **values: Any) -> str:
    """Fill a template in Markdown, in the folder `templates` of a package."""
    environment = Environment(
        loader=PackageLoader(package),
        undefined=_Missing,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Markdown, not HTML
    )
    environment.filters.update(figure=_figure, cell=_cell, duration=_duration, source_link=_source_link)
    return environment.get_template(template).render(**values)


def dataset_name(record: dict[str, Any]) -> str:
    """The title of a dataset's source, with how it was split and its negatives drawn."""
    builder = record["builder"]
    arguments = record["arguments"]
    details = [
        f"{arguments[key].replace('_', ' ')} {what}"
        for key, what in (("split", "split"), ("negatives", "negatives"))
        if key in arguments
    ]
    source = tasks.source(builder)
    return (source.title if source else builder) + (f" ({', '.join(details)})" if details else "")
