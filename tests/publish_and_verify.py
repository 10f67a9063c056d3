"""Train on a base model and data from the Hub, push the run, load it as its card says, verify it, then forge it.

HF_ENDPOINT=… python -m tests.publish_and_verify FOLDER

The results go to FOLDER/results.json.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import datasets
import torch
from huggingface_hub import DatasetCard, HfApi, ModelCard
from peft import PeftModel
from transformers import AutoModelForCausalLM

from bioft.datasets.gene_disease import ctd
from bioft.hub import pull, push as hub
from bioft.storage import datasets as storage
from bioft.tasks.gene_disease import predict as prediction
from bioft.verify import verify as verification
from tests.tiny import write_ctd, write_model

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "sft_gda.py"
folder = Path(sys.argv[1])
api = HfApi()

api.create_repo("user/tiny-llama", private=False)
model_card = "---\nlicense: other\nlicense_name: tiny-license\n---\n# A tiny base model\n"
write_model(folder / "base").joinpath("README.md").write_text(model_card)
base_commit = api.upload_folder(repo_id="user/tiny-llama", folder_path=folder / "base").oid

dataset, manifest = ctd.build(write_ctd(folder / "CTD_curated_genes_diseases.csv"))
storage.save(dataset, manifest, folder / "pairs")
dataset_commit = hub.push_dataset(folder / "pairs", "user/pairs", accept_terms=True).commit

options = {
    "model_name_or_path": "user/tiny-llama",
    "dataset": "user/pairs",
    "max_train_pairs": 96,
    "output_dir": folder / "run",
    "push_to_hub": "user/adapter",
    "max_steps": 12,
    "per_device_train_batch_size": 8,
    "load_in_4bit": False,
    "dtype": "float32",
    "use_cpu": True,
    "report_to": "none",
    "disable_tqdm": True,
}
sys.argv = [str(RECIPE), *(f"--{key}={value}" for key, value in options.items())]
runpy.run_path(str(RECIPE), run_name="__main__")

# What the card says, done: the snippet is run as it stands.
card = ModelCard.load("user/adapter", ignore_metadata_errors=False)
card.validate()
found: dict[str, Any] = {}
exec(card.text.split("```python\n")[1].split("```")[0], found)
ids = found["tokenizer"]("GEN1 and Syndrome B1, familial:", return_tensors="pt")["input_ids"]
here = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(folder / "base"), str(folder / "run"))
loaded, _, _ = prediction.load_run(pull.pull_adapter("user/adapter"), torch.float32)
with torch.no_grad():
    logits = [model.eval()(ids).logits for model in (here, found["model"], loaded)]

dataset_card = DatasetCard.load("user/pairs", ignore_metadata_errors=False)
dataset_card.validate()
streamed = datasets.load_dataset("user/pairs", revision=dataset_commit, split="test", streaming=True)

verified = verification.verify("user/adapter")
sampled = verification.verify("user/adapter", sample=10, revision=verified.revision)

# Somebody edits the card on the Hub, with figures that nobody measured.
value = card.data.to_dict()["model-index"][0]["results"][0]["metrics"][0]["value"]
forged = api.upload_file(
    repo_id="user/adapter",
    path_in_repo="README.md",
    path_or_fileobj=card.content.replace(f"value: {value}", "value: 0.999").encode(),
).oid

results = {
    "base_commit": base_commit,
    "dataset_commit": dataset_commit,
    "record": json.loads((folder / "run" / "run.json").read_text()),
    "card": card.data.to_dict(),
    "text": card.text,
    "dataset_card": dataset_card.data.to_dict(),
    "first_streamed": next(iter(streamed)),
    "first_local": dataset["test"][0],
    "largest_logit_difference": max(float((other - logits[0]).abs().max()) for other in logits[1:]),
    "verified": verified.to_json(),
    "sampled": sampled.to_json(),
    "forged_commit": forged,
    "forged": verification.verify("user/adapter", sample=10).to_json(),
    "before": verification.verify("user/adapter", sample=10, revision=verified.revision).to_json(),
}
(folder / "results.json").write_text(json.dumps(results))
