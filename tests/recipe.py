"""A recipe as tests call it: its module, its command line, one run.

`python -m tests.recipe` keeps what the help of each says, for `bioft.training.help_page`.
"""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from bioft.training import arguments, help_page, recipe_help
from tests import said
from tests.tiny import write_ctd, write_model

RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def load_recipe(name: str) -> ModuleType:
    """The module of `recipes/<name>.py`."""
    spec = importlib.util.spec_from_file_location(name, RECIPES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def help_of(name: str) -> Any:
    """What the help of a recipe says, with the defaults of its options."""
    groups = arguments.groups_of(load_recipe(name).main)
    parser = arguments.Parser(groups)
    return json.loads(json.dumps(recipe_help.sections(groups, parser._actions)))


def command_line(**values: object) -> list[str]:
    """These options, on a CPU, in float32 whatever the processor, and without trackers and progress bars."""
    defaults = {"use_cpu": True, "dtype": "float32", "report_to": "none", "disable_tqdm": True}
    return [f"--{key}={value}" for key, value in (defaults | values).items()]


def run_recipe(recipe: ModuleType, *words: str) -> None:
    """Call the recipe's `main` with what these words of a command line say; what it says is kept (`tests.said`)."""
    parsed = arguments.parse(recipe.__name__, arguments.groups_of(recipe.main), words)
    (directory,) = (Path(group.output_dir) for group in parsed if hasattr(group, "output_dir"))
    with said.keeping(directory):
        recipe.main(*parsed)


def write_quantized_run(folder: Path) -> Path:
    """A finished QLoRA run on a tiny Llama; the adapter is trained far enough to change what the base gives."""
    options = {
        "model_name_or_path": write_model(folder / "model"),
        "dataset": "ctd",
        "dataset_path": write_ctd(folder / "CTD_curated_genes_diseases.csv"),
        "negatives": "uniform",
        "context": "none",
        "test_size": 0.16,
        "max_train_pairs": 64,
        "output_dir": folder / "run",
        "max_steps": 4,
        "learning_rate": 0.02,
    }
    run_recipe(load_recipe("sft_gda"), *command_line(**options))
    return folder / "run"


def as_kept(found: dict[str, Any]) -> str:
    """JSON with an option in each line, so that a change of one is seen as such."""
    spread = json.dumps(found, indent=1, ensure_ascii=False)
    return re.sub(r"\n {5,}|\n {4}(?=\])", " ", spread).replace("[ ", "[").replace(" ]", "]") + "\n"


if __name__ == "__main__":
    kept = {path.stem: help_of(path.stem) for path in sorted(RECIPES.glob("*.py"))}
    help_page.KEPT.write_text(as_kept(kept), encoding="utf-8")
