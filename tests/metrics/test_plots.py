"""What the figures show, that the files are images, and what is said when something is missing."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bioft.errors import BioftError
from bioft.metrics import plots
from bioft.metrics.estimation import estimates
from bioft.metrics.report import decimals, interval_text
from bioft.tasks.gene_disease import pair_plots
from bioft.tasks.gene_disease.evaluate import GENE_DISEASE
from bioft.tasks.relations.evaluate import RELATIONS
from tests.metrics.binary import metric_values, metrics_with_intervals

pytestmark = pytest.mark.draws

HISTORY = [
    *({"step": step, "loss": 2.0 / step, "learning_rate": 1e-4 * (40 - step)} for step in range(1, 41)),
    {"step": 20, "eval_loss": 0.5},
    {"step": 40, "eval_loss": 0.3},
    {"step": 40, "train_runtime": 12.0, "train_loss": 0.4},
]


@pytest.fixture
def figures(monkeypatch):
    """The figures that are drawn, by file name; they are still saved."""
    drawn = {}
    save = plots.save_figure

    def keep(figure, path):
        drawn[Path(path).name] = figure
        save(figure, path)

    monkeypatch.setattr(plots, "save_figure", keep)
    return drawn


def scored(n=400, seed=0):
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    return (rng.random(n) < scores).astype(int), scores


def is_drawing(path):
    """A PNG that is not one colour."""
    from matplotlib.image import imread

    image = imread(path)
    return image.std() > 0.01


def legend(axes):
    """The words of the figure's legend, which lies outside the axes."""
    assert axes.get_legend() is None
    return [text.get_text() for legend in axes.figure.legends for text in legend.get_texts()]


def line(axes, label):
    (found,) = [each for each in axes.get_lines() if each.get_label().startswith(label)]
    return np.asarray(found.get_xydata())


def test_loss_curve(figures, tmp_path):
    plots.loss_curve(HISTORY, tmp_path / "loss.png")
    assert is_drawing(tmp_path / "loss.png")
    (axes,) = figures["loss.png"].axes
    assert axes.get_title() == "Loss over 40 steps"
    assert axes.get_xlabel() == "Optimizer step" and "Loss" in axes.get_ylabel()
    assert line(axes, "training, as logged").shape == (40, 2)
    assert line(axes, "validation").tolist() == [[20, 0.5], [40, 0.3]]
    mean = line(axes, "training, mean of 2")
    assert mean[0].tolist() == [1, (2.0 + 1.0) / 2] and len(mean) == 39


def test_a_high_first_loss_does_not_flatten_the_curve(figures, tmp_path):
    history = [{"step": step, "loss": 9.0 if step == 1 else 0.7} for step in range(1, 40)]
    plots.loss_curve(history, tmp_path / "loss.png")
    (axes,) = figures["loss.png"].axes
    assert axes.get_ylim()[1] < 1 and "highest 9.00, above the axis" in axes.get_title()


def test_a_short_loss_curve_is_not_smoothed(figures, tmp_path):
    plots.loss_curve([{"step": 1, "loss": 2.0}], tmp_path / "loss.png")
    (axes,) = figures["loss.png"].axes
    assert legend(axes) == ["training"] and axes.get_title() == "Loss over 1 step"
    plots.loss_curve([{"step": 5, "eval_loss": 2.0}], tmp_path / "only_validation.png")
    assert legend(figures["only_validation.png"].axes[0]) == ["validation"]


def test_learning_rate(figures, tmp_path):
    plots.learning_rate(HISTORY, tmp_path / "rate.png")
    assert is_drawing(tmp_path / "rate.png")
    (axes,) = figures["rate.png"].axes
    assert axes.get_title() == "Learning rate, highest 0.0039"
    assert axes.get_lines()[0].get_xydata().shape == (40, 2)


@pytest.mark.parametrize("function", [plots.loss_curve, plots.learning_rate])
@pytest.mark.parametrize("history", [[], [{"step": 3, "train_runtime": 1.0}], [{"loss": 1.0, "learning_rate": 1.0}]])
def test_nothing_logged(function, history, tmp_path):
    with pytest.raises(BioftError, match="log_history has no entry"):
        function(history, tmp_path / "figure.png")
    assert not list(tmp_path.iterdir())


def test_roc_pr_shows_the_areas_that_the_metrics_report(figures, tmp_path):
    labels, scores = scored()
    pair_plots.roc_pr(labels, {"model": scores, "constant": np.full(400, 0.5)}, tmp_path / "roc.png")
    assert is_drawing(tmp_path / "roc.png")
    figure = figures["roc.png"]
    roc, pr = figure.axes
    flat = metrics_with_intervals(labels, scores)
    constant = metrics_with_intervals(labels, np.full(400, 0.5))
    for place, (system, its) in enumerate({"model": flat, "constant": constant}.items()):
        areas = [
            interval_text({"value": its[name], "low": its[f"{name}_low"], "high": its[f"{name}_high"]})
            for name in ("auroc", "auprc")
        ]
        assert legend(roc)[place] == f"{system}: AUROC {areas[0]}, AUPRC {areas[1]}"
    assert all(axes.get_xlabel() and axes.get_ylabel() for axes in (roc, pr))
    assert legend(roc)[1].startswith("constant: AUROC .500 [.49")
    curve = line(roc, "model")
    assert np.trapezoid(curve[:, 1], curve[:, 0]) == pytest.approx(flat["auroc"])
    assert figure.get_suptitle() == f"n = 400 ({labels.sum()} positive; dotted: chance; 95 % intervals)"


def test_roc_pr_takes_recorded_metrics(figures, tmp_path):
    labels, scores = scored()
    recorded = {name: {"value": 0.9, "low": 0.8, "high": None} for name in ("auroc", "auprc")}
    recorded["auprc"]["high"] = 0.95
    pair_plots.roc_pr(labels, {"model": scores}, tmp_path / "roc.png", metrics={"model": recorded})
    roc, _ = figures["roc.png"].axes
    assert legend(roc) == ["model: AUROC .900 [.800––], AUPRC .900 [.800–.950]"]


def test_roc_pr_of_one_class_says_why_it_is_empty(figures, tmp_path):
    pair_plots.roc_pr([1, 1, 1], {"model": [0.1, 0.5, 0.9]}, tmp_path / "roc.png")
    for axes in figures["roc.png"].axes:
        assert [text.get_text() for text in axes.texts] == ["Undefined: all 3 labels are 1"]


def test_calibration(figures, tmp_path):
    labels, scores = scored(3000)
    pair_plots.calibration(labels, scores, tmp_path / "calibration.png")
    assert is_drawing(tmp_path / "calibration.png")
    axes, histogram = figures["calibration.png"].axes
    flat = metrics_with_intervals(labels, scores)
    ece = {"value": flat["ece"], "low": flat["ece_low"], "high": flat["ece_high"]}
    assert axes.get_title() == f"ECE {interval_text(ece)}, n = 3,000"
    points = axes.containers[0].lines[0].get_xydata()
    assert points.shape == (15, 2)
    assert np.abs(points[:, 0] - points[:, 1]).max() < 0.15  # calibrated
    heights = np.array([bar.get_height() for bar in histogram.patches])
    assert heights.sum() == 3000
    assert np.sum(heights * np.abs(points[:, 0] - points[:, 1])) / 3000 == pytest.approx(flat["ece"])


def test_calibration_of_few_examples_of_one_class(figures, tmp_path):
    pair_plots.calibration([0, 0], [0.0, 1.0], tmp_path / "calibration.png")
    assert figures["calibration.png"].axes[0].containers[0].lines[0].get_xydata().tolist() == [[0, 0], [1, 0]]


def test_score_distribution(figures, tmp_path):
    labels, scores = scored()
    pair_plots.score_distribution(labels, scores, 0.4, tmp_path / "scores.png")
    assert is_drawing(tmp_path / "scores.png")
    (axes,) = figures["scores.png"].axes
    assert legend(axes) == [
        f"negative (n = {400 - labels.sum()})",
        f"positive (n = {labels.sum()})",
        "threshold 0.400",
    ]
    accuracy = metric_values(labels, scores, threshold=0.4)["accuracy"]
    assert axes.get_title().startswith(f"Accuracy {decimals(accuracy)} [")
    assert line(axes, "threshold")[:, 0].tolist() == [0.4, 0.4]


def test_degree_distribution(figures, tmp_path):
    pair_plots.degree_distribution([1, 1, 2, 10], pd.Series([1, 1, 5]), tmp_path / "degrees.png")
    assert is_drawing(tmp_path / "degrees.png")
    (axes,) = figures["degrees.png"].axes
    assert line(axes, "genes").tolist() == [[1, 1], [2, 0.5], [10, 0.25]]
    assert line(axes, "diseases")[:, 1] == pytest.approx([1, 1 / 3])
    assert legend(axes)[0] == "genes: n = 4, median 1.5, highest 10"
    for bad in ([], [0, 1]):
        with pytest.raises(BioftError, match="degrees of the diseases must be at least 1"):
            pair_plots.degree_distribution([1], bad, tmp_path / "none.png")


def test_other_formats_and_bad_paths(tmp_path):
    plots.learning_rate(HISTORY, tmp_path / "rate.svg")
    assert b"<svg" in (tmp_path / "rate.svg").read_bytes()
    with pytest.raises(BioftError, match=r"rate\.docx can't be written: .*docx"):
        plots.learning_rate(HISTORY, tmp_path / "rate.docx")
    with pytest.raises(BioftError, match="can't be written"):
        plots.learning_rate(HISTORY, tmp_path / "missing" / "rate.png")
    assert [path.name for path in tmp_path.iterdir()] == ["rate.svg"]  # nothing half-written


@pytest.fixture
def run_directory(tmp_path):
    labels, scores = scored()
    weak = np.random.default_rng(1).random(400)
    pd.DataFrame(
        {
            "gene_id": [str(each // 2) for each in range(400)],
            "disease_id": [str(each % 50) for each in range(400)],
            "label": labels,
            "score": scores,
            "prediction": (scores >= 0.45).astype(int),
            "base_score": weak,
            "baseline_majority": 0.5,
            "baseline_popularity_logistic": weak[::-1],
            "baseline_tfidf": weak**2,
        }
    ).to_parquet(tmp_path / "predictions.parquet")
    run = {
        "scoring": {"threshold": 0.45},
        "metrics": estimates.nest(metrics_with_intervals(labels, scores, threshold=0.45)),
        "baselines": {"majority": {"auroc": {"value": 0.5, "low": 0.5, "high": 0.5, "n": 400}}},
        "log_history": HISTORY,
    }
    run["baselines"]["majority"]["auprc"] = {"value": 0.123, "low": 0.1, "high": 0.2, "n": 400}
    (tmp_path / "run.json").write_text(json.dumps(run))
    return tmp_path


def test_plot_run(run_directory, figures):
    run = json.loads((run_directory / "run.json").read_text())
    paths = pair_plots.plot_run(run_directory, run)
    names = ["roc_pr.png", "calibration.png", "score_distribution.png"]
    assert paths == [run_directory / "plots" / name for name in names]
    written = [Path(name).with_suffix(suffix).name for name in names for suffix in (".png", ".svg", ".pdf")]
    assert sorted(path.name for path in (run_directory / "plots").iterdir()) == sorted(written)
    assert all(map(is_drawing, paths))
    rows = legend(figures["roc_pr.png"].axes[0])
    assert [row.split(":")[0] for row in rows] == [
        "fine-tuned model",
        "base model, zero-shot",
        "majority",
        "popularity, logistic",
        "TF-IDF",
    ]
    assert f"AUROC {interval_text(run['metrics']['auroc'])}" in rows[0]
    assert rows[2] == "majority: AUROC .500 [.500–.500], AUPRC .123 [.100–.200]"
    assert "threshold 0.450" in legend(figures["score_distribution.png"].axes[0])
    assert pair_plots.plot_run(run_directory, run) == paths  # figures are made from the record: drawn anew


def test_a_figure_is_the_same_file_whenever_it_is_drawn(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        plots.learning_rate(HISTORY, tmp_path / name / "rate.png")
    for suffix in (".png", ".svg", ".pdf"):
        first, second = ((tmp_path / name / f"rate{suffix}").read_bytes() for name in ("one", "other"))
        assert first == second and len(first) > 1000
    assert b"CreationDate" not in (tmp_path / "one" / "rate.pdf").read_bytes()
    assert b"<dc:date>" not in (tmp_path / "one" / "rate.svg").read_bytes()


def test_letters_can_be_read_on_paper_and_legends_hide_nothing(run_directory, figures, tmp_path):
    """A column has 85 mm, a page 170; letters have 6 points at least. Boxes as they are drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    pair_plots.plot_run(run_directory, json.loads((run_directory / "run.json").read_text()))
    plots.plot_training(run_directory, HISTORY)
    pair_plots.degree_distribution([1, 1, 2, 10], [1, 1, 5], tmp_path / "degrees.png")
    figure = {"value": 0.4, "low": 0.3, "high": 0.5, "n": 50}
    shown = {name: name.upper() for name in ("auroc", "f1", "recall", "mcc")}
    rows = {name: dict.fromkeys(shown, figure) for name in ("popularity_logistic", "base, zero-shot", "fine-tuned")}
    plots.metrics(rows, shown, tmp_path / "metrics.png")
    plots.label_counts({"train": {"a label": 1}, "test": {"another": 2}}, tmp_path / "labels.png")
    plots.text_lengths({"train": [2, 4, 9], "test": [1]}, "tokens", tmp_path / "lengths.png", longest=5)
    table = pd.DataFrame({"run": ["one"], "value": [0.6], "low": [0.5], "high": [0.7]})
    plots.comparison([("auroc", table)], tmp_path / "comparison.png")
    assert len(figures) == 10
    for name, drawn in figures.items():
        renderer = FigureCanvasAgg(drawn).get_renderer()
        drawn.draw(renderer)
        inches = drawn.get_size_inches()[0]
        assert inches in (plots.COLUMN, plots.PAGE), name
        scale = (85 if inches == plots.COLUMN else 170) / 25.4 / inches
        words = [text for text in drawn.findobj(Text) if text.get_text().strip() and text.get_visible()]
        assert min(text.get_fontsize() for text in words) * scale >= 6, name
        for legend in drawn.legends:
            box = legend.get_window_extent(renderer)
            assert not any(box.overlaps(axes.get_window_extent(renderer)) for axes in drawn.axes), name
            assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= drawn.bbox.x1, name


def test_a_system_has_one_look_in_every_figure(run_directory, figures, tmp_path):
    pair_plots.plot_run(run_directory, json.loads((run_directory / "run.json").read_text()))
    curves = {each.get_label().split(":")[0]: each.get_color() for each in figures["roc_pr.png"].axes[0].get_lines()}
    figure = {"f1": {"value": 0.4, "low": 0.3, "high": 0.5, "n": 50}}
    names = ["majority", "popularity_logistic", "tfidf", "base, zero-shot", "fine-tuned"]
    plots.metrics(dict.fromkeys(names, figure), {"f1": "F1"}, tmp_path / "metrics.png")
    bars = [each.get_color() for each in figures["metrics.png"].axes[0].get_lines()][::2]
    shown = ["majority", "popularity, logistic", "TF-IDF", "base model, zero-shot", "fine-tuned model"]
    assert bars == [curves[name] for name in shown]
    assert bars[-2:] == [plots.VERMILION, plots.BLUE] and not {plots.VERMILION, plots.BLUE} & set(bars[:3])
    for baselines in (
        list(GENE_DISEASE),
        ["tfidf_svm", "tfidf_logistic", "majority", "label_priors"],
        list(RELATIONS),
    ):
        looks = [tuple(sorted(plots.style_of(name).items())) for name in baselines]
        assert len(set(looks)) == len(looks)


def test_chance_is_drawn_where_a_metric_has_one(figures, tmp_path):
    figure = {"value": 0.6, "low": 0.5, "high": 0.7, "n": 50}
    rows = {"fine-tuned": {"auroc": figure, "f1": figure}}
    plots.metrics(rows, {"auroc": "AUROC", "f1": "F1"}, tmp_path / "metrics.png")
    auroc, f1 = figures["metrics.png"].axes
    assert [each.get_xdata() for each in auroc.get_lines()][-1] == [0.5, 0.5] and len(f1.get_lines()) == 2
    assert "dotted: chance" in figures["metrics.png"].get_supxlabel()


def test_plots_of_training(tmp_path):
    paths = plots.plot_training(tmp_path, HISTORY)
    assert paths == [tmp_path / "plots" / name for name in ("loss.png", "learning_rate.png")]
    assert all(map(is_drawing, paths))
    assert plots.plot_training(tmp_path, []) == []


def test_plot_run_without_base_model(run_directory, figures):
    predictions = pd.read_parquet(run_directory / "predictions.parquet")[["gene_id", "disease_id", "label", "score"]]
    predictions.assign(base_score=np.nan).to_parquet(run_directory / "predictions.parquet")
    assert [path.stem for path in pair_plots.plot_run(run_directory, {})] == [
        "roc_pr",
        "calibration",
        "score_distribution",
    ]
    assert len(legend(figures["roc_pr.png"].axes[0])) == 1


def test_plot_run_of_something_else(run_directory):
    predictions = run_directory / "predictions.parquet"
    frame = pd.read_parquet(predictions)
    frame.drop(columns="score").to_parquet(predictions)
    with pytest.raises(BioftError, match="has no column score"):
        pair_plots.plot_run(run_directory, {})
    predictions.write_bytes(b"PAR1 cut")
    with pytest.raises(BioftError, match=r"predictions\.parquet can't be read"):
        pair_plots.plot_run(run_directory, {})
    predictions.unlink()
    with pytest.raises(BioftError, match=r"predictions\.parquet can't be read"):
        pair_plots.plot_run(run_directory, {})
    assert not (run_directory / "plots").exists()


def test_needs_neither_display_nor_pyplot(tmp_path):
    code = (
        "import sys; from bioft.metrics import plots; assert 'matplotlib' not in sys.modules;"
        "plots.loss_curve([{'step': 1, 'loss': 2.0}], 'loss.png'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    repository = Path(plots.__file__).parents[2]
    environment = {"PYTHONPATH": str(repository), "MPLBACKEND": "qtagg", "HOME": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "loss.png").is_file()


def test_metrics_of_all_systems(figures, tmp_path):
    def figure(value):
        return {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 50}

    rows = {
        "tf_idf": {"f1": figure(0.4), "perplexity": figure(30.0), "recall": figure(0.5)},
        "fine-tuned": {"f1": figure(0.7), "perplexity": figure(8.0), "recall": figure(0.8)},
    }
    rows["tf_idf"]["precision"] = figure(0.2)  # not known of the other
    shown = {"perplexity": "Perplexity", "f1": "F1", "precision": "Precision", "recall": "Recall"}
    plots.metrics(rows, shown, tmp_path / "metrics.png")
    assert is_drawing(tmp_path / "metrics.png")
    f1, recall = figures["metrics.png"].axes
    assert (f1.get_title(), recall.get_title()) == ("F1", "Recall")
    assert [text.get_text() for text in f1.texts] == [".400", ".700"]
    lines = [each.get_xdata().tolist() for each in recall.get_lines()]
    assert lines == [[0.4, 0.6], [0.5], pytest.approx([0.7, 0.9]), [0.8]]
    assert [label.get_text() for label in f1.get_yticklabels()] == ["tf idf", "fine-tuned"]


def test_metrics_above_one_are_not_drawn(figures, tmp_path):
    loss = {"perplexity": {"value": 3.0, "low": 2.0, "high": 4.0, "n": 5}}
    plots.metrics({"fine-tuned": loss}, {"perplexity": "Perplexity"}, tmp_path / "metrics.png")
    assert not figures and not list(tmp_path.iterdir())


def test_labels_and_lengths(figures, tmp_path):
    plots.label_counts({"train": {"rare": 1, "often": 5}, "test": {"often": 2}}, tmp_path / "labels.png")
    (axes,) = figures["labels.png"].axes
    assert [text.get_text() for text in axes.texts] == [" 1", " 7"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["rare", "often"]
    plots.text_lengths({"train": [2, 4, 9], "test": []}, "tokens", tmp_path / "lengths.png", longest=5)
    expected = {"train: n = 3, median 4, longest 9, cut 33.3%", "read: 5 tokens"}
    assert set(legend(figures["lengths.png"].axes[0])) == expected
