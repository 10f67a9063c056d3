"""That the figures of a contrastive run show the similarities, lengths and counts of its data."""

from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from sklearn.metrics import roc_auc_score

from bioft.metrics import plots
from bioft.metrics.report import decimals
from bioft.models import embedded
from bioft.tasks.retrieval import encoder as contrastive, figures as contrastive_figures
from tests import tiny

pytestmark = pytest.mark.draws


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> dict:
    """The figures that are drawn, by file name; they are still saved."""
    drawn, save = {}, plots.save_figure

    def keep(figure, path):
        drawn[Path(path).name] = figure
        save(figure, path)

    monkeypatch.setattr(plots, "save_figure", keep)
    return drawn


def test_figures_of_pairs(figures: dict, tmp_path: Path) -> None:
    words = ["fever", "cough", "rash", "pain", "gait", "tremor"]
    rows = [(f"{a} {b}", f"{b} {a}", 1, f"{a} {b}") for a in words for b in words if a < b]
    rows += [(f"{a} {b}", f"{words[0]} {words[1]}", 0, f"{a} {b}") for a in words[2:] for b in words[2:] if a < b]
    columns = dict(zip(("sentence1", "sentence2", "score", "group"), map(list, zip(*rows, strict=True)), strict=True))
    dataset = DatasetDict(train=Dataset.from_dict(columns), test=Dataset.from_dict(columns))
    folder = tiny.write_encoder(tmp_path / "encoder")
    base = embedded.BaseModel(str(folder), str(folder), None, "tests", None, None)
    encoder = contrastive.load_model(base, contrastive.ContrastiveArguments(max_length=8)).eval()
    paths = contrastive_figures.draw(dataset, {"base model": encoder, "fine-tuned": encoder}, tmp_path)
    assert [path.name for path in paths] == ["similarity.png", "text_lengths.png", "dataset.png"]
    assert all(path.stat().st_size > 5000 for path in paths)

    vectors = [encoder.encode(columns[name], normalize_embeddings=True) for name in ("sentence1", "sentence2")]
    expected = roc_auc_score(columns["score"], (vectors[0] * vectors[1]).sum(axis=1))
    panels = figures["similarity.png"].axes
    assert [axes.get_title().split("\n")[0] for axes in panels] == ["base model", "fine-tuned"]
    assert f"AUROC {decimals(expected)} [" in panels[0].get_title()
    names = [text.get_text() for text in figures["similarity.png"].legends[0].get_texts()]
    assert names == ["unrelated (n = 6)", "related (n = 15)"]

    texts = list(dict.fromkeys([*columns["sentence1"], *columns["sentence2"]]))
    lengths = [len(ids) for ids in encoder.tokenizer(texts)["input_ids"]]
    cut = np.mean(np.array(lengths) > 8)
    legend = [text.get_text() for text in figures["text_lengths.png"].legends[0].get_texts()]
    words_of_train = f"train: n = {len(texts)}, median {np.median(lengths):g}, longest {max(lengths)}, cut {cut:.1%}"
    assert words_of_train in legend

    counts, sizes = figures["dataset.png"].axes
    assert [text.get_text() for text in counts.texts] == ["21", "21"]
    assert sizes.get_legend().get_texts()[0].get_text() == "train: 15 groups, median 1, largest 2"
