"""The snippet of a model's card, run where bioft can't be imported, against what `bioft predict` answers."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from bioft.models import base as models
from bioft.storage import runs
from bioft.tasks.entities import predict as entities
from bioft.tasks.gene_disease import predict as gene_disease
from bioft.tasks.relations import marking, predict as relations
from bioft.tasks.retrieval import encoder
from bioft.tasks.text_labels import predict as text_labels

WITHOUT_BIOFT = """
import importlib, json, os, sys, traceback
sys.modules["bioft"] = None
import huggingface_hub.constants, huggingface_hub.hf_api, peft, sentence_transformers, transformers.pipelines
for line in sys.stdin:
    folder, expression, environment = json.loads(line)
    if (child := os.fork()) == 0:
        try:
            os.chdir(folder)
            for stream in (1, 2):
                os.dup2(os.open("said.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND), stream)
            os.environ.clear()
            os.environ.update(environment)
            importlib.reload(huggingface_hub.constants)
            huggingface_hub.hf_api.api.endpoint = huggingface_hub.constants.ENDPOINT
            try:
                import bioft
            except ImportError:
                exec(compile(open("snippet.py").read(), "snippet", "exec"))
                print("ANSWER" + json.dumps(eval(expression)), flush=True)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    print("done", flush=True)
"""
"""A process that never had bioft, and has imported what snippets do: each is asked in a fork of it."""
TEXTS = (
    "Naloxone reverses the antihypertensive effect of clonidine.",
    "Two patients had seizures after lidocaine; carbamazepine-induced hyponatraemia was treated in 3 of 12.",
)
SENTENCE = "Lidocaine caused seizures in two patients."
MASKED = "Naloxone reverses the effect of {}."


def of(card: str) -> str:
    """The Python code on a card."""
    assert "```python\n" in card, "no snippet"
    return card.split("```python\n")[1].partition("```")[0]


def answer(card: str, expression: str, folder: Path, environment: Mapping[str, str]) -> Any:
    """The value of an expression after the card's snippet has run in a process without bioft."""
    (folder / "snippet.py").write_text(of(card))
    process = without_bioft()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps([str(folder), expression, dict(environment)]) + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"
    said = (folder / "said.txt").read_text()
    assert "ANSWER" in said, said
    return json.loads(said.partition("ANSWER")[2].partition("\n")[0])


@cache
def without_bioft() -> subprocess.Popen[str]:
    """The process of `WITHOUT_BIOFT`, which ends with this one."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", WITHOUT_BIOFT], **pipes)


def gene_disease_score(run: Path) -> Any:
    """The score of a pair, in the floating-point type that the card names."""
    model, prompts, _ = gene_disease.load(run)
    return gene_disease.score_pairs(model, prompts, {"gene": ["BRCA1"], "disease": ["Breast Neoplasms"]})[0]


def spans(run: Path) -> Any:
    """The most probable entities of each text, with how sure their first word is."""
    *model, record = entities.load(run)
    return [[list(each.span) for each in its] for its in entities.find_entities(model, TEXTS, record)]


def labels(run: Path) -> Any:
    """The labels of a text and all scores."""
    (found,) = text_labels.predict_with_run(run, ["Terminated because too few patients could be enrolled."])
    return [sorted(found.labels), found.scores]


def row_of(text: str) -> dict[str, Any]:
    """A document that begins with `SENTENCE`, with the entities in it."""
    mentions = [("Lidocaine", "Chemical", "MESH:D008012"), ("seizures", "Disease", "MESH:D012640")]
    return {
        "text": text,
        "entities": [
            {"id": i, "type": kind, "start": text.index(name), "end": text.index(name) + len(name)}
            for name, kind, i in mentions
        ],
    }


def related(run: Path) -> Any:
    """The text that the model reads of two marked concepts, and the score of a relation between them."""
    model, tokenizer, record = relations.load(run)
    scores = relations.score((model, tokenizer), [row_of(SENTENCE)], record)
    (marked,) = marking.mark(
        [SENTENCE], scores.candidates, tokenizer, marking.Markers(**record["relations"]["markers"])
    )
    return [marked.text, scores.scores[0].tolist()]


def hidden_word(run: Path) -> Any:
    """The most probable tokens behind the mask, and how probable they are."""
    from transformers import AutoModelForMaskedLM

    record = runs.read(run)
    model, tokenizer = models.load_trained_encoder(run, record["base_model"], AutoModelForMaskedLM)
    tokens = tokenizer(MASKED.format(tokenizer.mask_token), return_tensors="pt")
    with torch.no_grad():
        logits = model.eval()(**tokens).logits[0]
    (place,) = (tokens["input_ids"][0] == tokenizer.mask_token_id).nonzero()
    best = logits[place[0]].softmax(-1).topk(5)
    return [best.indices.tolist(), best.values.tolist()]


def embeddings(*texts: str) -> Callable[[Path], Any]:
    """The embeddings of texts."""
    return lambda run: encoder.load_run(run)[0].encode(list(texts)).tolist()


CHECKS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "gene_disease": ('score("BRCA1", "Breast Neoplasms")', gene_disease_score),
    "entities": (
        f'[[[e["start"], e["end"], e["entity_group"]] for e in its] for its in find({list(TEXTS)!r})]',
        spans,
    ),
    "text_labels": ("[sorted(label for label in scores if scores[label] >= thresholds[label]), scores]", labels),
    "relations": ("[text, [s for i, s in enumerate(logits.sigmoid().tolist()) if i != 0]]", related),
    "masked_lm": (
        '[[a["token"] for a in fill(MASKED)], [a["score"] for a in fill(MASKED)]]'.replace(
            "MASKED", repr(MASKED) + ".format(tokenizer.mask_token)"
        ),
        hidden_word,
    ),
    "retrieval": ("embeddings.tolist()", embeddings("loss of hearing", "deafness", "a broken leg")),
    "name_alignment": ("embeddings.tolist()", embeddings("D-glucose", "dextrose", "pyruvate")),
}
"""By task what is asked after its snippet, and what bioft answers."""


def check(name: str, run: Path, folder: Path, environment: Mapping[str, str]) -> None:
    """The snippet of a run from the Hub gives the answers of bioft, or its card says that it needs bioft."""
    card = (run / runs.CARD).read_text()
    if name not in CHECKS:
        assert "loads with bioft only" in card and "```python" not in card
        return
    if name == "text_labels":
        record = runs.read(run)
        stored = json.loads((run / "config.json").read_text())["thresholds"]
        assert stored == dict(zip(record["labels"], record["classifier"]["thresholds"], strict=True))
    expression, expected = CHECKS[name]
    assert answer(card, expression, folder, environment) == near(expected(run)), name


def near(value: Any) -> Any:
    """A value whose numbers may differ in their last digits."""
    if isinstance(value, Mapping):
        return {key: near(its) for key, its in value.items()}
    if isinstance(value, list):
        return [near(its) for its in value]
    return pytest.approx(value, abs=1e-5) if isinstance(value, float) else value
