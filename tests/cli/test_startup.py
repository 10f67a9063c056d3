"""What a command imports: seconds go before a single answer where it is more than the answer needs."""

import json
import subprocess
import sys
from pathlib import Path

from bioft.search import index as search_index
from bioft.search.articles import IndexedArticle
from bioft.search.encoder import load_encoder

REPOSITORY = Path(__file__).parents[2]
SCRIPT = """
import contextlib, json, sys
from bioft.cli.main import app
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(sys.stderr), contextlib.suppress(SystemExit):
        app(words)
    print(json.dumps(sorted(sys.modules)))
"""


def test_a_command_imports_what_its_answer_needs(tmp_path: Path) -> None:
    """One after the other in one process. That Transformers imports PyTorch's compiler is not bioft's choice."""
    (tmp_path / "names.txt").write_text("glucose\nATP\n")
    index = str(tmp_path / "index")
    texts = (IndexedArticle(str(n), "", f"finding {n}", None, (), False) for n in range(3))
    search_index.index_articles(index, load_encoder("embedded:all-minilm-l6-v2"), [*texts])
    (tmp_path / "space.tsv").write_text("id\tname\nglc\tD-glucose\natp\tATP\n")
    names, namespace, output = (str(tmp_path / name) for name in ("names.txt", "space.tsv", "matches.tsv"))
    alone = {"bitsandbytes", "datasets", "evaluate", "matplotlib", "optuna", "peft", "sentence_transformers", "trl"}
    alone |= {"transformers.pipelines", "transformers.trainer_utils", "scipy.stats", "sklearn"}
    unneeded = {
        ("align", names, "--namespace", namespace, "--output", output): {*alone, "cobra", "torch", "transformers"}
        - {"sklearn", "scipy.stats"},  # scikit-learn, which makes the n-grams, imports the other
        ("predict", "tests/golden/runs/entities", "--text", "Tacrolimus was stopped."): {*alone, "pandas"},
        ("search", index, "finding"): alone,
        ("predict", "tests/golden/runs/text_labels", "--text", "Too few patients."): alone,
    }
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps([*unneeded])],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = [set(json.loads(line)) for line in told.stdout.splitlines()]
    assert len(imported) == len(unneeded) and "transformers" in imported[-1], told.stderr
    assert Path(output).is_file() and "Tacrolimus⟨" in told.stderr, told.stderr
    for words, before, after in zip(unneeded, [set(), *imported], imported, strict=False):
        assert not (after - before) & unneeded[words], words
