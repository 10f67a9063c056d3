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


def imported_by(*commands: tuple[str, ...]) -> list[set[str]]:
    """What each command imports that those before it in the same process did not."""
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    imported = [set(json.loads(line)) for line in told.stdout.splitlines()]
    assert len(imported) == len(commands) and "Traceback" not in told.stderr, told.stderr
    return [after - before for before, after in zip([set(), *imported], imported, strict=False)]


def test_a_command_imports_what_its_answer_needs(tmp_path: Path) -> None:
    """That scikit-learn, which makes the n-grams of names, imports `scipy.stats` is not bioft's choice."""
    (tmp_path / "names.txt").write_text("glucose\nATP\n")
    (tmp_path / "space.tsv").write_text("id\tname\nglc\tD-glucose\natp\tATP\n")
    names, namespace, output, index = (str(tmp_path / name) for name in ("names.txt", "space.tsv", "out.tsv", "index"))
    texts = [IndexedArticle(str(n), "", f"finding {n}", None, (), False) for n in range(3)]
    search_index.index_articles(index, load_encoder("embedded:all-minilm-l6-v2"), texts)
    unneeded = {"bitsandbytes", "datasets", "evaluate", "matplotlib", "optuna", "peft", "sentence_transformers", "trl"}
    unneeded |= {"transformers"}
    (aligning,) = imported_by(("align", names, "--namespace", namespace, "--output", output))
    assert Path(output).is_file() and not aligning & {*unneeded, "cobra", "torch"}
    asking = imported_by(
        ("predict", "tests/golden/runs/entities", "--text", "Tacrolimus was stopped."),
        ("search", index, "finding"),
        ("predict", "tests/golden/runs/text_labels", "--text", "Too few patients."),
    )
    assert "torch" in asking[0]
    for imported in asking:
        assert not imported & {*unneeded, "pandas", "scipy.stats", "sklearn", "sympy", "torch._dynamo"}
