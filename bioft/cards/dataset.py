"""The card of a dataset, from its manifest."""

import inspect
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from huggingface_hub import DatasetCardData
from jinja2 import UndefinedError

from bioft.cards import words
from bioft.errors import BioftError, in_words
from bioft.task import source as find_source

if TYPE_CHECKING:
    from datasets import DatasetDict

PREVIEW_ROWS = 5


def dataset_card(manifest: dict[str, Any], dataset: "DatasetDict", *, repository: str | None = None) -> str:
    """Write the card of a dataset: YAML metadata and Markdown.

    The metadata have features and size of each split, and its Parquet file, for `load_dataset`. `manifest` is as the
    builder returned it; of `dataset` the first five rows of the first split are shown; `repository` is the Hub id that
    it will have, without which the card names a placeholder. BioftError: a manifest without a field that a card needs.
    """
    from datasets import DatasetInfo, SplitDict, SplitInfo
    from datasets.info import DatasetInfosDict

    manifest = words.without_local_paths(manifest)
    try:
        rows = manifest["rows"]
        first = next(iter(dataset.values()))
        kind = next(kind for column, kind in words.DATASET_KINDS.items() if column in first.column_names)
        total = sum(map(len, dataset.values()))
        name = words.dataset_name(manifest)
        data = DatasetCardData(
            language="en",
            pretty_name=name,
            task_categories=[kind["task_category"]],
            size_categories=[_size_category(total)],
            tags=["biology", "medical", *kind["tags"], "bioft"],
            configs=[
                {
                    "config_name": "default",
                    "data_files": [{"split": split, "path": f"{split}.parquet"} for split in dataset],
                }
            ],
            **words.license_fields(manifest),
        )
        splits = SplitDict(
            {split: SplitInfo(split, found.data.nbytes, len(found)) for split, found in dataset.items()}
        )
        DatasetInfosDict(default=DatasetInfo(features=first.features, splits=splits)).to_dataset_card_data(data)
        return words.render(
            "dataset_card.md.j2",
            card_data=data.to_yaml(),
            manifest=manifest,
            name=name,
            total=total,
            kind=kind,
            counted=words.counted,
            of_gene_disease_pairs="gene" in first.column_names,
            count_columns=count_columns(rows),
            audit=words.audit_in_words(manifest.get("audit", {})),
            columns={column: words.COLUMN_WORDS.get(column, "") for column in first.column_names},
            preview=first.select(range(min(PREVIEW_ROWS, len(first)))).to_list(),
            command=build_command(manifest),
            repository=repository or words.PLACEHOLDER,
            **words.source_words(manifest),
        )
    except (KeyError, UndefinedError) as error:
        raise BioftError(f"The manifest lacks a field: {error}. Build the dataset again.") from error
    except (TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        raise BioftError(
            f"The manifest is not as a builder writes it: {in_words(error)}. Build the dataset again."
        ) from error


def build_command(manifest: dict[str, Any]) -> str | None:
    """Return the `bioft build` command that makes a dataset again, run in the folder with its source files.

    None for a dataset that no single command makes: of a source without one, of several files where the builder takes
    one (such as ChemDisGene with its training corpus), or built with what is no option of the command.
    """
    source = find_source(manifest["builder"])
    if source is None or not source.purpose:
        return None
    options = inspect.signature(source.builder()).parameters
    files = [each["name"] for each in manifest["sources"]] if {"path", "paths"} & options.keys() else []
    if source.own:
        # Those of given splits are named there.
        named = {name for value in manifest["arguments"].values() if isinstance(value, list) for name in value}
        files = [name for name in files if name not in named]
    if "path" in options and len(files) > 1:
        if not source.folder:
            return None
        files = ["."]
    command = ["bioft", "build", source.name.replace("_", "-"), *files]
    # A seed of 0 is an option; what was not given is none.
    arguments = {key: value for key, value in manifest["arguments"].items() if value or type(value) in (int, float)}
    if set(arguments) - options.keys():
        return None
    # Options that are given several times come first.
    for key, value in sorted(arguments.items(), key=lambda item: not isinstance(item[1], list)):
        option = f"--{key.replace('_', '-')}"
        for each in value if isinstance(value, list) else [value]:
            command += [option] if each is True else [option, str(each)]
    return shlex.join([*command, "--output", "dataset"])


def count_columns(rows: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return what is counted in any of the splits, in the order of their first mention."""
    return words.unique(column for counts in rows.values() for column in counts)


def _size_category(rows: int) -> str:
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    bounds += [(10_000_000, "1M<n<10M"), (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B")]
    return next((category for bound, category in bounds if rows < bound), "1B<n<10B")
