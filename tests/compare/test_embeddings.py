"""That the probe and the separation see what embeddings hold, and the examples are embedded by both models."""

from pathlib import Path

import numpy as np
import pytest

from bioft.compare import analyze as analysis
from bioft.compare.embeddings import maps, measure
from bioft.errors import BioftError
from bioft.tasks.embedded import Embedded
from tests import tiny
from tests.analysis_runs import row
from tests.recipe import command_line, load_recipe, run_recipe


def made_up(n: int = 120) -> Embedded:
    """Two classes that the fine-tuned embeddings tell apart and the base model's don't."""
    rng = np.random.default_rng(0)
    labels = np.array(["one", "other"])[np.arange(n) % 2]
    apart = rng.normal(size=(n, 8)) * 0.1
    apart[:, 0] += np.where(labels == "one", 1, -1)
    return Embedded("points", labels, np.arange(n), {"base model": rng.normal(size=(n, 8)), "fine-tuned": apart})


def test_probe_and_silhouette_tell_separable_classes() -> None:
    table, sentences = measure(made_up())
    assert row(table, model="fine-tuned", measure="probe accuracy")["value"] == 1
    base = row(table, model="base model", measure="probe accuracy")
    assert base["low"] < 0.5 < base["high"] and base["n"] == 120
    assert row(table, model="fine-tuned", measure="silhouette")["value"] > 0.8
    assert abs(row(table, model="base model", measure="silhouette")["value"]) < 0.05
    assert row(table, model="(no model)", measure="majority")["value"] == 0.5
    wrong = round((1 - base["value"]) * 120)
    assert sentences == [
        f"The probe gets {wrong} right on the fine-tuned embeddings only and 0 on the base model's only "
        "(p < .001, paired)."
    ]


def test_a_probe_is_not_asked_what_it_was_taught() -> None:
    """A class that is only known from examples of the same group is not told apart."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    vectors = np.repeat(rng.normal(size=(40, 30)), 5, axis=0)
    labels = np.repeat(rng.permutation(["one", "other"] * 20), 5)
    table, _ = measure(Embedded("points", labels, groups, {"base model": vectors, "fine-tuned": vectors}))
    assert row(table, model="fine-tuned", measure="probe accuracy")["value"] < 0.75


def test_pairs_of_texts() -> None:
    """Partners lie near each other in the fine-tuned embeddings only."""
    rng = np.random.default_rng(0)
    first = rng.normal(size=(60, 16))
    tuned = np.concatenate([first, first + 0.05 * rng.normal(size=(60, 16))])
    groups = np.tile(np.arange(60), 2)
    pairs = np.array([(i, i + 60, 1) for i in range(60)] + [(i, (i + 7) % 60 + 60, 0) for i in range(60)])
    vectors = {"base model": rng.normal(size=(120, 16)), "fine-tuned": tuned}
    table, _ = measure(Embedded("texts", groups, groups, vectors, pairs))
    assert row(table, model="fine-tuned", measure="AUROC of the cosine")["value"] == 1
    base = row(table, model="base model", measure="AUROC of the cosine")
    assert base["low"] < 0.5 < base["high"] and base["n"] == 120


def test_one_class_is_refused() -> None:
    embedded = made_up()
    embedded.labels[:] = "one"
    with pytest.raises(BioftError, match="Fewer than two classes"):
        measure(embedded)


def test_the_map_has_a_place_for_each_example() -> None:
    embedded = made_up(60)
    found = maps(embedded)
    assert {name: places.shape for name, places in found.items()} == dict.fromkeys(embedded.vectors, (60, 2))
    points, one = found["fine-tuned"], embedded.labels == "one"
    centres = points[one].mean(axis=0), points[~one].mean(axis=0)
    nearer = np.linalg.norm(points - centres[0], axis=1) < np.linalg.norm(points - centres[1], axis=1)
    assert (nearer == one).mean() > 0.95


@pytest.mark.draws
def test_a_real_run_is_embedded_by_both_models(tmp_path: Path) -> None:
    encoder = tiny.write_encoder(tmp_path / "encoder")
    run = tmp_path / "run"
    words = command_line(
        model_name_or_path=encoder, output_dir=run, num_train_epochs=2, learning_rate=3e-3, use_peft=False,
        save_strategy="no", load_best_model_at_end=False,
    )  # fmt: skip
    run_recipe(load_recipe("text_classification"), *words)
    (chapter,) = analysis.analyse([str(run)], tmp_path / "out", analysis.Options(embeddings=True, sample=40))
    (section,) = [each for each in chapter.sections if each.title.startswith("Embeddings")]
    assert section.reasons == []
    table = section.tables["embeddings.csv"]
    n = table["n"].unique()
    assert len(n) == 1 and 20 <= n[0] <= 40
    tuned, base = (row(table, model=name, measure="silhouette")["value"] for name in ("fine-tuned", "base model"))
    assert tuned != base, "both were embedded by the same weights"
    assert (tmp_path / "out" / "run1" / "embeddings.png").stat().st_size > 5000
