"""Run a recipe script, and write down for each process which training examples reached its model, and how it ended.

python tests/recipes/record_examples.py FOLDER RECIPE.py [OPTIONS OF THE RECIPE]
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import trl

folder, *sys.argv = sys.argv[1:]
examples: list[list[int]] = []


class RecordingTrainer(trl.SFTTrainer):
    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        rows = zip(inputs["input_ids"].tolist(), inputs["attention_mask"].tolist(), strict=True)
        examples.extend([token for token, kept in zip(*row, strict=True) if kept] for row in rows)
        return super().compute_loss(model, inputs, *args, **kwargs)


trl.SFTTrainer = RecordingTrainer
runpy.run_path(sys.argv[0], run_name="__main__")
threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
found = {"examples": examples, "gloo_threads": [name for name in threads if "gloo" in name]}
(Path(folder) / f"process-{os.environ['RANK']}.json").write_text(json.dumps(found))
