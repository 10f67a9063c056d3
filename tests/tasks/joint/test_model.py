"""The joint model: its heads, its windows, that it reloads as it was, and what it finds in whole documents."""

import re
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from transformers import AutoConfig, AutoModel

from bioft.datasets.documents import sample
from bioft.errors import BioftError
from bioft.models import attention, base as models, precision
from bioft.tasks.entities import tagging
from bioft.tasks.joint import inputs, model as joint
from bioft.tasks.joint.inputs import JointCollator
from bioft.tasks.joint.model import JointConfig, JointModel
from bioft.tasks.joint.predict import find_in_texts
from bioft.tasks.relations import candidates as relations, marking
from bioft.tasks.relations.linking import ConceptDictionary
from tests.tiny import ENCODERS, write_encoder

WINDOWS = {"window_length": 64, "window_overlap": 16}


def make(folder: Path, architecture: str = "bert", **options: Any) -> tuple[Any, Any, list[dict[str, Any]]]:
    """A joint model on a tiny encoder, its tokenizer, and documents of which some need several windows."""
    rows = sample.build()[0]["train"].to_list()[:12]
    encoder, tokenizer = models.load_encoder(
        models.resolve_base_model(str(write_encoder(folder, architecture))), AutoModel
    )
    types = sorted({entity["type"] for row in rows for entity in row["entities"]})
    torch.manual_seed(0)
    model = joint.new_model(encoder, tagging.bio_labels(types), relations.argument_types(rows), **options)
    if options.get("relation_words"):
        torch.nn.init.normal_(model.relation_classifier.words)  # new ones are zero and would show no mistake
    return model.eval(), tokenizer, rows


def dataset(model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return inputs.training_dataset(tokenizer, rows, model.config, **WINDOWS).to_list()


def batch_of(model: Any, tokenizer: Any, examples: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    return JointCollator(tokenizer.pad_token_id, len(model.config.relation_arguments))(examples)


def test_its_encoder_is_trained_in_bfloat16_with_attention_of_some_texts_at_a_time_and_nothing_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Transformers warns where it finds a configuration without its model, as that of the encoder in this one's."""
    model, _, _ = make(tmp_path)
    trainer = SimpleNamespace(model=model, args=SimpleNamespace(bf16=True, device=torch.device("cpu")))
    caplog.clear()
    with precision.trained(trainer):
        assert model.encoder.config._attn_implementation == attention.NAME
    assert model.encoder.config._attn_implementation == "sdpa" and not caplog.records


@pytest.mark.parametrize("architecture", ENCODERS)
def test_a_saved_model_is_loaded_by_the_auto_classes_as_it_was(architecture: str, tmp_path: Path) -> None:
    """With its encoder's own configuration, its labels, and heads that give the very same logits."""
    model, tokenizer, rows = make(tmp_path / "base", architecture, relation_loss_weight=2.0, relation_words=True)
    model.save_pretrained(tmp_path / "joint")
    reloaded = AutoModel.from_pretrained(tmp_path / "joint").eval()
    assert isinstance(reloaded, JointModel)
    assert reloaded.config.encoder.model_type == model.config.encoder.model_type
    assert reloaded.config.relation_loss_weight == 2.0
    assert joint.labels_of(reloaded.config) == joint.labels_of(model.config)
    assert joint.arguments_of(reloaded.config) == {"CID": [("Chemical", "Disease")]}
    batch = batch_of(model, tokenizer, dataset(model, tokenizer, rows[:3]))
    with torch.no_grad():
        before, after = model(**batch), reloaded(**batch)
    assert torch.equal(before.logits, after.logits)
    # Sums over mentions are not always taken in the same order.
    torch.testing.assert_close(before.relation_logits, after.relation_logits, atol=1e-5, rtol=1e-5)


def test_the_pretrained_encoder_is_kept(tmp_path: Path) -> None:
    """New heads are random, the encoder's weights are not made anew with them."""
    model, _, _ = make(tmp_path)
    base = AutoModel.from_pretrained(tmp_path)
    for name, weight in base.state_dict().items():
        if name.startswith("pooler"):  # not in the checkpoint, and not used
            continue
        assert torch.equal(model.encoder.state_dict()[name], weight), name


def test_a_configuration_survives_json() -> None:
    config = JointConfig(
        encoder={"model_type": "roberta", "hidden_size": 32}, relation_arguments={"CID": [["Chemical", "Disease"]]}
    )
    again = JointConfig.from_dict(config.to_dict())
    assert type(again.encoder) is type(AutoConfig.for_model("roberta")) and again.encoder.hidden_size == 32
    assert joint.arguments_of(again) == {"CID": [("Chemical", "Disease")]}


def test_both_losses_train_the_encoder_and_each_its_own_head(tmp_path: Path) -> None:
    for weights, trained in (((1.0, 0.0), "entity"), ((0.0, 1.0), "relation")):
        names = ("entity_loss_weight", "relation_loss_weight")
        model, tokenizer, rows = make(tmp_path / trained, **dict(zip(names, weights, strict=True)))
        output = model(**batch_of(model, tokenizer, dataset(model, tokenizer, rows[:4])))
        output.loss.backward()
        learns = {
            name: any(p.grad is not None and p.grad.abs().max() > 0 for p in getattr(model, name).parameters())
            for name in ("encoder", "entity_classifier", "relation_classifier")
        }
        assert learns == {
            "encoder": True,
            "entity_classifier": trained == "entity",
            "relation_classifier": trained == "relation",
        }
    assert output.loss.item() == pytest.approx(output.relation_loss.item())


def test_a_batch_changes_no_document(tmp_path: Path) -> None:
    """Padding, and the indices of mentions and candidates that are moved along, do not mix documents up."""
    model, tokenizer, rows = make(tmp_path, relation_words=True)
    without_pairs = rows[3] | {"entities": rows[3]["entities"][:1], "relations": []}
    examples = dataset(model, tokenizer, [*rows[:3], without_pairs, *rows[4:]])
    assert len({len(example["input_ids"]) for example in examples}) > 1
    with torch.no_grad():
        alone = [model(**batch_of(model, tokenizer, [example])) for example in examples]
        together = model(**batch_of(model, tokenizer, examples))
    expected = torch.cat([output.relation_logits for output in alone])
    torch.testing.assert_close(together.relation_logits, expected, atol=1e-5, rtol=1e-5)
    window = 0
    for output in alone:
        count, length = output.logits.shape[:2]
        torch.testing.assert_close(together.logits[window : window + count, :length], output.logits)
        window += count


def test_a_document_without_candidates_has_a_loss(tmp_path: Path) -> None:
    model, tokenizer, rows = make(tmp_path)
    bare = rows[0] | {"entities": [], "relations": []}
    output = model(**batch_of(model, tokenizer, dataset(model, tokenizer, [bare])))
    assert output.relation_loss == 0.0 and torch.isfinite(output.loss)
    output.loss.backward()


@pytest.mark.parametrize("words", [False, True])
def test_prediction_sees_what_training_saw(words: bool, tmp_path: Path) -> None:
    """Scores of annotated entities are those of the training examples, in whatever batches documents are read."""
    model, tokenizer, rows = make(tmp_path, relation_words=words)
    texts = [row["text"] for row in rows]
    with torch.no_grad():
        logits = model(**batch_of(model, tokenizer, dataset(model, tokenizer, rows))).relation_logits
    dictionary = ConceptDictionary.fit(rows)
    annotated = [row["entities"] for row in rows]
    found = find_in_texts(model, tokenizer, texts, dictionary, annotated=annotated, **WINDOWS)
    assert found.annotated.candidates == [
        candidate._replace(types=frozenset())
        for candidate in relations.candidates(rows, joint.arguments_of(model.config))
    ]
    np.testing.assert_allclose(found.annotated.scores, logits.sigmoid().numpy(), atol=1e-5)
    # The tags are those of the entity recipe's own way of reading windows.
    from bioft.tasks.entities.predict import find_entities

    class EntityHead(torch.nn.Module):
        """The joint model as a token classification model."""

        config, device = model.config.encoder, model.device

        def forward(self, **inputs: torch.Tensor) -> Any:
            inputs.pop("token_type_ids", None)
            return model(**inputs)

    expected = find_entities(
        (EntityHead(), tokenizer), texts, {"labels": joint.labels_of(model.config), "windows": WINDOWS}
    )
    assert [[e.span for e in entities] for entities in found.entities] == [
        [e.span for e in entities] for entities in expected
    ]


def test_relations_are_looked_for_between_linked_entities_only_unless_names_will_do(tmp_path: Path) -> None:
    model, tokenizer, rows = make(tmp_path)
    texts = [row["text"] for row in rows]
    unknown = find_in_texts(model, tokenizer, texts, ConceptDictionary({}), **WINDOWS)
    assert any(unknown.entities) and not unknown.end_to_end.candidates
    named = find_in_texts(model, tokenizer, texts, ConceptDictionary({}), name_unlinked=True, **WINDOWS)
    assert named.entities == unknown.entities
    assert named.end_to_end.candidates
    assert {c.head.id[:5] for c in named.end_to_end.candidates} == {"name:"}


def test_long_blank_and_empty_documents_are_read(tmp_path: Path) -> None:
    """200,000 characters, with mentions everywhere, more pairs of two concepts than are all looked at."""
    model, tokenizer, rows = make(tmp_path)
    text = (rows[0]["text"] + " ") * (200_000 // len(rows[0]["text"]))
    places = {kind: rows[0]["text"].index(name) for kind, name in names_of(rows[0]).items()}
    shifts = range(0, len(text) - len(rows[0]["text"]), len(rows[0]["text"]) + 1)
    entities = [
        {"id": kind, "type": kind, "start": place + shift, "end": place + shift + len(names_of(rows[0])[kind])}
        for shift in shifts
        for kind, place in places.items()
    ]
    texts = ["", text, "  \n"]
    found = find_in_texts(
        model,
        tokenizer,
        texts,
        ConceptDictionary({}),
        annotated=[[], entities, []],
        window_length=128,
        window_overlap=32,
    )
    assert len(found.annotated.candidates) == 1
    candidate = found.annotated.candidates[0]
    assert candidate.document == 1
    assert len(candidate.head.places) * len(candidate.tail.places) > relations.MENTION_PAIRS
    assert np.isfinite(found.annotated.scores).all()
    assert found.entities[0] == found.entities[2] == []


def test_two_names_throughout_a_long_text_are_compared_where_they_are_near(tmp_path: Path) -> None:
    """All pairs of these mentions would be 16 million."""
    model, tokenizer, _ = make(tmp_path, relation_words=True)
    text = "Aspirin caused asthma. " * 4000
    entities = [
        {"id": kind, "type": kind, "start": match.start(), "end": match.end()}
        for kind, name in (("Chemical", "Aspirin"), ("Disease", "asthma"))
        for match in re.finditer(name, text)
    ]
    compared: list[int] = []
    model.relation_classifier.register_forward_pre_hook(lambda _, inputs: compared.append(len(inputs[3])))
    found = find_in_texts(model, tokenizer, [text], ConceptDictionary({}), annotated=[entities], **WINDOWS)
    assert len(found.annotated.candidates) == 1 and np.isfinite(found.annotated.scores).all()
    assert 4000 <= max(compared) <= relations.MENTION_PAIRS


def names_of(row: dict[str, Any]) -> dict[str, str]:
    """One name of a chemical and one of a disease in a document."""
    return {entity["type"]: entity["text"] for entity in row["entities"] if entity["type"] in ("Chemical", "Disease")}


def test_pooling_is_a_logsumexp_over_the_rows_of_a_candidate() -> None:
    values = torch.randn(6, 3, dtype=torch.float64) * 50
    index = torch.tensor([1, 0, 1, 2, 1, 0])
    expected = torch.stack([values[index == i].logsumexp(0) for i in range(3)])
    torch.testing.assert_close(joint.scatter_logsumexp(values, index, 3), expected)


@given(st.integers(1, 4), st.integers(1, 90), st.randoms(use_true_random=False))
def test_means_between_mentions_are_means_of_what_is_near(windows: int, tokens: int, random: Random) -> None:
    states = torch.randn(windows, tokens, 3)
    ranges = [(random.randrange(windows), random.randrange(tokens), random.randrange(tokens + 1)) for _ in range(20)]
    means = joint.means_between(states, torch.tensor(ranges).T)
    for (window, start, end), mean in zip(ranges, means, strict=True):
        between = states[window, start:end]
        expected = between.mean(0) if 0 < len(between) <= joint.NEAR else torch.zeros(3)
        torch.testing.assert_close(mean, expected, atol=1e-4, rtol=1e-4)


def test_the_relation_head_reads_around_and_between_mentions_and_nowhere_else() -> None:
    """A token counts at a mention, up to four beside it, and between two mentions of one window; padding never."""
    torch.manual_seed(0)
    head = joint.RelationHead(8, 16, 1, dropout=0.0).eval()
    mentions = torch.tensor([[0, 6, 7], [0, 20, 20], [1, 18, 18]])
    for other, read in ((1, [*range(2, 25)]), (2, [*range(2, 12)])):
        pair = torch.tensor([[0, other, 0, 3]])
        states = torch.randn(2, 40, 8, requires_grad=True)
        features = torch.zeros(1, len(marking.PAIR_FEATURES))
        head(states, torch.tensor([40, 22]), mentions, pair, features).sum().backward()
        gradients = states.grad.abs().sum(-1)
        assert gradients[0].nonzero().flatten().tolist() == read
        # The mention in the other window is token 18 of 22: three tokens of the text are behind it.
        assert gradients[1].nonzero().flatten().tolist() == ([] if other == 1 else [*range(14, 22)])


def test_the_relation_head_adds_the_weights_of_the_words_of_each_pair() -> None:
    """As a vector of a fixed length for each pair; new weights change nothing, and those of its words alone learn."""
    head = joint.RelationHead(8, 16, 2, dropout=0.0, words=True).eval()
    states, lengths = torch.randn(1, 9, 8), torch.tensor([9])
    given = states, lengths, torch.tensor([[0, 1, 1], [0, 4, 5]]), torch.tensor([[0, 1, 0, 3], [1, 0, 1, 3]])
    features = torch.zeros(2, len(marking.PAIR_FEATURES))
    words = torch.tensor([[0, 7], [0, 65_535], [0, 9], [0, 11]])  # the other pair has none
    with pytest.raises(ValueError, match="give `pair_words`"):
        head(*given, features)
    deep = head(*given, features, words[:0])
    assert torch.equal(head(*given, features, words), deep)
    with torch.no_grad():
        head.words[7] = torch.tensor([1.0, -2.0])
    logits = head(*given, features, words)
    expected = torch.tensor([[joint.WORD_SCALE / 2, -joint.WORD_SCALE], [0.0, 0.0]])
    torch.testing.assert_close(logits - deep, expected)
    logits[0].sum().backward()
    assert head.words.grad.abs().sum(1).nonzero().flatten().tolist() == [7, 9, 11, 65_535]


def test_the_relation_head_may_read_a_lower_layer(tmp_path: Path) -> None:
    """Then its loss trains that layer and not those above; a layer that is not there is refused."""
    model, tokenizer, rows = make(tmp_path, relation_layer=1)
    model(**batch_of(model, tokenizer, dataset(model, tokenizer, rows[:4]))).relation_loss.backward()
    layers = model.encoder.encoder.layer
    assert len(layers) > 1
    for number, layer in enumerate(layers, 1):
        learns = any(p.grad is not None and p.grad.abs().max() > 0 for p in layer.parameters())
        assert learns == (number == 1)
    with pytest.raises(BioftError, match=f"relation_layer is 9; this encoder has layers 1 to {len(layers)}"):
        make(tmp_path / "other", relation_layer=9)


def test_a_window_that_the_encoder_cannot_read_is_refused(tmp_path: Path) -> None:
    model, tokenizer, rows = make(tmp_path)
    with pytest.raises(BioftError, match="at most 128 tokens"):
        find_in_texts(model, tokenizer, [rows[0]["text"]], ConceptDictionary({}), window_length=512, window_overlap=16)
