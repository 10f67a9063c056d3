"""What the Hub checks in a card's YAML header before it takes a commit with it."""

import re
from typing import Any

import yaml

HEADER = re.compile(r"^---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|$)", re.DOTALL | re.MULTILINE)
REPOSITORY_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
LISTS_OF_TEXT = ("tags", "datasets", "metrics", "base_model", "language", "license")


def read_header(card: str) -> Any:
    """Return what a card's YAML header holds, None without a header; `yaml.YAMLError` where it is broken."""
    found = HEADER.match(card)
    return yaml.safe_load(found.group(1)) if found else None


def check(card: str, kind: str) -> tuple[list[str], list[str]]:
    """Return the errors and the warnings that the Hub gives for a card."""
    try:
        header = read_header(card)
    except yaml.YAMLError as error:
        return [f"YAML metadata error: {' '.join(str(error).split())}"], []
    if header is None:
        return [], ["empty or missing yaml metadata in repo card"]
    if not isinstance(header, dict):
        return ["the YAML metadata must be an object"], []
    errors, warnings = [], []
    for key in LISTS_OF_TEXT:
        value = header.get(key)
        if value is not None and not _is_text_or_list_of_text(value):
            errors.append(f'"{key}" must be a string or an array of strings')
    for value in _as_list(header.get("base_model")):
        if not REPOSITORY_ID.fullmatch(str(value)):
            errors.append(f'"base_model" with value "{value}" is not valid. Use a model id from https://hf.co/models.')
    for value in _as_list(header.get("datasets")):
        if not REPOSITORY_ID.fullmatch(str(value)):
            warnings.append(f'"datasets" with value "{value}" is not valid. Use a dataset id.')
    if header.get("license") == "other" and not header.get("license_name"):
        warnings.append('"license_name" is required when "license" is "other"')
    if "model-index" in header:
        errors += _check_model_index(header["model-index"])
    if kind == "dataset" and "configs" in header:
        errors += _check_configurations(header["configs"])
    return errors, warnings


def _check_model_index(index: Any) -> list[str]:
    if not isinstance(index, list):
        return ['"model-index" must be an array']
    errors = []
    for i, model in enumerate(index):
        where = f'"model-index[{i}]'
        if not isinstance(model, dict) or not isinstance(model.get("name"), str) or not model["name"]:
            errors.append(f'{where}.name" is required')
            continue
        for j, result in enumerate(model.get("results") or []):
            here = f"{where}.results[{j}]"
            if not isinstance(result.get("task"), dict) or not isinstance(result["task"].get("type"), str):
                errors.append(f'{here}.task.type" is required')
            dataset = result.get("dataset")
            for key in ("type", "name"):
                if not isinstance(dataset, dict) or not isinstance(dataset.get(key), str):
                    errors.append(f'{here}.dataset.{key}" is required')
            for k, metric in enumerate(result.get("metrics") or []):
                if not isinstance(metric.get("type"), str) or metric.get("value") is None:
                    errors.append(f'{here}.metrics[{k}]" needs a type and a value')
    return errors


def _check_configurations(configurations: Any) -> list[str]:
    if not isinstance(configurations, list):
        return ['"configs" must be an array']
    named = (isinstance(item, dict) and isinstance(item.get("config_name"), str) for item in configurations)
    return [f'"configs[{i}].config_name" is required' for i, good in enumerate(named) if not good]


def _is_text_or_list_of_text(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _as_list(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
