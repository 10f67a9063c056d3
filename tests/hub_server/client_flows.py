"""What users of the real clients do with a Hub, one function each; run as a program in a client's environment.

Prints one line of JSON for each flow: its name, and the traceback where it failed. The server is at `HF_ENDPOINT`; the
first argument is a folder for local files, the other arguments are the tokens by role (`read=hf_…`).
"""

import io
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    EvalResult,
    HfApi,
    HfFileSystem,
    ModelCard,
    ModelCardData,
    hf_hub_download,
    metadata_update,
    snapshot_download,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

LARGE = 80_000_000  # bytes: more than one of Xet's blocks
FLOWS: list[Callable] = []


class Setting:
    """What every flow gets: the client of the user who may write, the other tokens, and a folder of its own."""

    def __init__(self, folder: Path, tokens: dict[str, str]):
        self.folder, self.tokens = folder, tokens
        self.api = HfApi()

    def as_role(self, role: str) -> HfApi:
        return HfApi(token=self.tokens[role])

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


def flow(function: Callable) -> Callable:
    FLOWS.append(function)
    return function


@contextmanager
def refused(error_type: type[Exception], status: int | None = None) -> Iterator[None]:
    """Expect exactly this error (and HTTP status) from the lines inside."""
    try:
        yield
    except error_type as error:
        found = getattr(getattr(error, "response", None), "status_code", None)
        assert status in (None, found), f"HTTP {found}, not {status}"
    else:
        raise AssertionError(f"no {error_type.__name__}")


def random_bytes(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(size)


@flow
def create_and_delete(at: Setting) -> None:
    assert at.api.whoami()["name"] == "user"
    url = at.api.create_repo("user/created", private=True)
    assert (url.repo_id, url.repo_type) == ("user/created", "model")
    assert at.api.create_repo("user/created", exist_ok=True) == url
    with refused(HfHubHTTPError, 409):
        at.api.create_repo("user/created")
    assert at.api.create_repo("lab/shared", repo_type="dataset").repo_id == "lab/shared"
    with refused(HfHubHTTPError, 403):
        at.api.create_repo("stranger/created")
    with refused(HfHubHTTPError, 403):
        at.as_role("read").create_repo("user/other")
    with refused(HfHubHTTPError, 401):
        at.as_role("expired").create_repo("user/other")
    assert at.api.repo_exists("user/created") and not at.api.repo_exists("user/created", repo_type="dataset")
    assert [model.id for model in at.api.list_models(author="user", search="created")] == ["user/created"]
    at.api.delete_repo("user/created")
    assert not at.api.repo_exists("user/created")


@flow
def upload_list_and_information(at: Setting) -> None:
    weights = random_bytes(100_000)
    at.write("up/weights.safetensors", weights)
    at.write("up/data/rows.csv", "gene,disease\nGEN1,röteln\n".encode())
    at.write("up/data/name with space & ü.bin", random_bytes(3000, 1))
    at.write("up/empty.txt", b"")
    at.api.create_repo("user/uploads", private=True)
    commit = at.api.upload_folder(repo_id="user/uploads", folder_path=at.folder / "up", commit_message="Everything")
    assert at.api.upload_folder(repo_id="user/uploads", folder_path=at.folder / "up").oid == commit.oid
    names = ["data/name with space & ü.bin", "data/rows.csv", "empty.txt", "weights.safetensors"]
    assert sorted(at.api.list_repo_files("user/uploads")) == [".gitattributes", *names]

    information = at.api.model_info("user/uploads", files_metadata=True)
    sizes = {sibling.rfilename: sibling.size for sibling in information.siblings or []}
    assert information.sha == commit.oid and information.private and sizes["weights.safetensors"] == 100_000
    entries = {entry.path: entry for entry in at.api.list_repo_tree("user/uploads", expand=True)}
    assert set(entries) == {".gitattributes", "data", "empty.txt", "weights.safetensors"}
    assert entries["weights.safetensors"].last_commit.oid == commit.oid
    found = at.api.get_paths_info("user/uploads", [names[0], "data", "missing"])
    assert [entry.path for entry in found] == [names[0], "data"] and found[0].lfs.size == 3000

    at.api.upload_file(repo_id="user/uploads", path_or_fileobj=b"text", path_in_repo="new/note.txt")
    at.api.upload_file(repo_id="user/uploads", path_or_fileobj=io.BytesIO(weights[:9]), path_in_repo="new/raw.bin")
    operations = [
        CommitOperationCopy("weights.safetensors", "new/copy.safetensors"),
        CommitOperationDelete("data/"),
        CommitOperationDelete("empty.txt"),
    ]
    at.api.create_commit("user/uploads", operations, commit_message="Move things")
    left = {".gitattributes", "weights.safetensors", "new/note.txt", "new/raw.bin", "new/copy.safetensors"}
    assert set(at.api.list_repo_files("user/uploads")) == left
    titles = [commit.title for commit in at.api.list_repo_commits("user/uploads")]
    assert titles[0] == "Move things" and titles[-2:] == ["Everything", "initial commit"]
    with refused(EntryNotFoundError):
        at.api.delete_file("nowhere.txt", "user/uploads")


@flow
def large_file(at: Setting) -> None:
    path = at.write("large.safetensors", random_bytes(LARGE))
    at.api.create_repo("user/large")
    commit = at.api.upload_file(repo_id="user/large", path_or_fileobj=path, path_in_repo=path.name)
    entry = at.api.get_paths_info("user/large", path.name)[0]
    assert entry.size == LARGE
    for revision in ("main", commit.oid):
        copy = Path(hf_hub_download("user/large", path.name, revision=revision))
        assert copy.stat().st_size == LARGE
    with path.open("rb") as sent, copy.open("rb") as received:
        assert all(sent.read(1 << 22) == received.read(1 << 22) for _ in range(LARGE // (1 << 22) + 1))
    path.unlink()
    copy.resolve().unlink()


@flow
def branches_tags_and_downloads(at: Setting) -> None:
    at.api.create_repo("user/versions")
    first = at.api.upload_file(repo_id="user/versions", path_or_fileobj=b"one", path_in_repo="file.txt")
    at.api.create_tag("user/versions", tag="v1", tag_message="The first")
    at.api.create_branch("user/versions", branch="feature/next")
    with refused(HfHubHTTPError, 409):
        at.api.create_branch("user/versions", branch="feature/next")
    with refused(HfHubHTTPError, 409):
        at.api.create_tag("user/versions", tag="v1")
    at.api.create_tag("user/versions", tag="v1", exist_ok=True)
    add = [
        CommitOperationAdd("file.txt", b"two"),
        CommitOperationAdd("deep/weights.bin", random_bytes(5000)),
    ]
    second = at.api.create_commit("user/versions", add, commit_message="Two", revision="feature/next")
    expected = {"main": b"one", "v1": b"one", first.oid: b"one", "feature/next": b"two", second.oid: b"two"}
    for revision, content in expected.items():
        assert Path(hf_hub_download("user/versions", "file.txt", revision=revision)).read_bytes() == content
        assert at.api.model_info("user/versions", revision=revision).sha in (first.oid, second.oid)
    for revision in ("feature/next", second.oid):
        folder = Path(snapshot_download("user/versions", revision=revision))
        assert folder.name == second.oid and (folder / "deep/weights.bin").read_bytes() == random_bytes(5000)
        target = at.folder / f"snapshot-{revision[:7]}"
        snapshot_download("user/versions", revision=revision, local_dir=target, allow_patterns="deep/*")
        assert (target / "deep/weights.bin").exists() and not (target / "file.txt").exists()
    references = at.api.list_repo_refs("user/versions")
    assert {branch.name for branch in references.branches} == {"main", "feature/next"}
    assert [(tag.ref, tag.target_commit) for tag in references.tags] == [("refs/tags/v1", first.oid)]
    at.api.delete_tag("user/versions", tag="v1")
    at.api.delete_branch("user/versions", branch="feature/next")
    for revision in ("v1", "feature/next"):
        assert not at.api.revision_exists("user/versions", revision)
        with refused(RevisionNotFoundError):
            at.api.list_repo_files("user/versions", revision=revision)
    assert at.api.model_info("user/versions", revision=second.oid).sha == second.oid


@flow
def pull_requests(at: Setting) -> None:
    at.api.create_repo("user/reviewed")
    base = at.api.upload_file(repo_id="user/reviewed", path_or_fileobj=b"one", path_in_repo="a.txt")
    add = [CommitOperationAdd("b.bin", random_bytes(2000))]
    change = at.api.create_commit("user/reviewed", add, commit_message="Add b", create_pr=True)
    assert change.pr_num == 1 and change.pr_revision == "refs/pr/1"
    assert not at.api.file_exists("user/reviewed", "b.bin")
    at.api.upload_file(
        repo_id="user/reviewed", path_or_fileobj=b"c", path_in_repo="c.txt", revision=change.pr_revision
    )
    assert set(at.api.list_repo_files("user/reviewed", revision="refs/pr/1")) >= {"a.txt", "b.bin", "c.txt"}
    assert (Path(snapshot_download("user/reviewed", revision="refs/pr/1")) / "b.bin").exists()
    references = at.api.list_repo_refs("user/reviewed", include_pull_requests=True)
    assert [reference.ref for reference in references.pull_requests or []] == ["refs/pr/1"]

    empty = at.api.create_pull_request("user/reviewed", title="Nothing yet")
    assert empty.num == 2 and empty.is_pull_request and empty.status == "open"
    # A stranger may propose to a public repository, not write to it.
    stranger = at.as_role("foreign")
    proposal = stranger.upload_file(
        repo_id="user/reviewed", path_or_fileobj=b"d", path_in_repo="d.txt", create_pr=True, parent_commit=base.oid
    )
    assert proposal.pr_num == 3
    with refused(HfHubHTTPError, 403):
        stranger.upload_file(repo_id="user/reviewed", path_or_fileobj=b"d", path_in_repo="d.txt")
    at.api.merge_pull_request("user/reviewed", 1)
    assert at.api.get_discussion_details("user/reviewed", 1).status == "merged"
    assert at.api.file_exists("user/reviewed", "c.txt")
    at.api.change_discussion_status("user/reviewed", 2, "closed")
    opened = at.api.get_repo_discussions("user/reviewed", discussion_status="open")
    assert [discussion.num for discussion in opened] == [3]


@flow
def conflicting_change(at: Setting) -> None:
    at.api.create_repo("user/contended")
    old = at.api.model_info("user/contended").sha
    theirs = at.api.upload_file(repo_id="user/contended", path_or_fileobj=b"theirs", path_in_repo="a.txt")
    ours = {"repo_id": "user/contended", "path_or_fileobj": b"ours", "path_in_repo": "a.txt"}
    with refused(HfHubHTTPError, 412):
        at.api.upload_file(**ours, parent_commit=old)
    assert at.api.model_info("user/contended").sha == theirs.oid
    at.api.upload_file(**ours, parent_commit=theirs.oid)


@flow
def private_and_gated(at: Setting) -> None:
    nobody, stranger, reader = HfApi(token=False), at.as_role("foreign"), at.as_role("read")
    at.api.create_repo("user/secret", private=True)
    at.api.upload_file(repo_id="user/secret", path_or_fileobj=random_bytes(500), path_in_repo="w.bin")
    for api, status in ((nobody, 401), (stranger, 404)):
        with refused(RepositoryNotFoundError, status):
            api.model_info("user/secret")
        with refused(RepositoryNotFoundError, status):
            api.hf_hub_download("user/secret", "w.bin")
        with refused(RepositoryNotFoundError, status):
            api.model_info("user/never-created")
    with refused(RepositoryNotFoundError):
        at.api.dataset_info("user/secret")
    assert Path(reader.hf_hub_download("user/secret", "w.bin")).stat().st_size == 500
    with refused(HfHubHTTPError, 403):
        reader.upload_file(repo_id="user/secret", path_or_fileobj=b"x", path_in_repo="x.txt")
    with refused(HfHubHTTPError, 401):
        at.as_role("expired").model_info("user/secret")
    at.api.auth_check("user/secret", write=True)

    at.api.create_repo("user/gated")
    at.api.upload_file(repo_id="user/gated", path_or_fileobj=random_bytes(500, 1), path_in_repo="w.bin")
    at.api.update_repo_settings("user/gated", gated="manual")
    for api, status in ((nobody, 401), (stranger, 403)):
        assert api.model_info("user/gated").gated == "manual"
        with refused(GatedRepoError, status):
            api.hf_hub_download("user/gated", "w.bin")
        with refused(GatedRepoError, status):
            api.auth_check("user/gated")
    at.api.grant_access("user/gated", "stranger")
    assert Path(stranger.hf_hub_download("user/gated", "w.bin")).read_bytes() == random_bytes(500, 1)
    at.api.update_repo_settings("user/secret", private=False)
    assert not nobody.model_info("user/secret").private


@flow
def model_cards(at: Setting) -> None:
    result = EvalResult("text-classification", "user/data", "Data", "f1", 0.5, dataset_revision="a" * 40)
    data = ModelCardData(
        license="mit", base_model="user/base", model_name="Cards", tags=["lora"], eval_results=[result]
    )
    card = ModelCard(f"---\n{data.to_yaml()}\n---\n\n# Cards\n")
    card.validate()
    card.push_to_hub("user/uploads", commit_message="Add a card")
    back = ModelCard.load("user/uploads")
    assert back.content == card.content and back.data.eval_results == [result]
    information = at.api.model_info("user/uploads")
    assert information.card_data.base_model == "user/base"
    assert {"lora", "license:mit", "base_model:user/base"} <= set(information.tags or [])
    metadata_update("user/uploads", {"pipeline_tag": "text-classification"})
    assert at.api.model_info("user/uploads").pipeline_tag == "text-classification"

    for broken in ("---\nlicense: [mit\n---\n", "---\nbase_model: /tmp/base\n---\n", "---\nmodel-index: {}\n---\n"):
        add = [CommitOperationAdd("README.md", broken.encode())]
        with refused(ValueError):
            at.api.create_commit("user/uploads", add, commit_message="Broken card")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        at.api.upload_file(repo_id="user/versions", path_or_fileobj=b"# No header\n", path_in_repo="README.md")
    assert any("empty or missing yaml metadata" in str(warning.message) for warning in caught)


@flow
def file_system(at: Setting) -> None:
    files = HfFileSystem()
    at.api.create_repo("user/files", repo_type="dataset")
    with files.open("datasets/user/files/folder/rows.csv", "w") as stream:
        stream.write("a,b\n1,2\n")
    assert files.ls("datasets/user/files/folder", detail=False) == ["datasets/user/files/folder/rows.csv"]
    assert files.glob("datasets/user/files/**/*.csv") == ["datasets/user/files/folder/rows.csv"]
    assert files.read_text("datasets/user/files@main/folder/rows.csv") == "a,b\n1,2\n"
    assert not files.exists("datasets/user/files/other")


@flow
def datasets(at: Setting) -> None:
    from datasets import Dataset, DatasetDict, get_dataset_config_names, load_dataset
    from datasets.exceptions import DatasetNotFoundError

    rows = Dataset.from_dict({"gene": [f"GEN{i}" for i in range(50)], "label": [i % 2 for i in range(50)]})
    splits = DatasetDict(train=rows, test=rows.select(range(10)))
    commit = splits.push_to_hub("user/rows", private=True)
    rows.select(range(5)).push_to_hub("user/rows", config_name="small", split="train")
    assert sorted(get_dataset_config_names("user/rows")) == ["default", "small"]
    loaded = load_dataset("user/rows", "default", revision=commit.oid)
    assert loaded["train"].to_dict() == rows.to_dict() and len(loaded["test"]) == 10
    assert len(load_dataset("user/rows", "small", split="train")) == 5
    stream = load_dataset("user/rows", "default", split="test", streaming=True)
    assert [row["gene"] for row in stream] == [f"GEN{i}" for i in range(10)]
    with refused(DatasetNotFoundError):
        load_dataset("user/rows", revision="missing")


@flow
def transformers(at: Setting) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from tests.tiny import write_model

    folder = write_model(at.folder / "llama")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    model.push_to_hub("user/llama", private=True)
    tokenizer.push_to_hub("user/llama")
    sha = at.api.model_info("user/llama").sha
    for revision in ("main", sha):
        again = AutoModelForCausalLM.from_pretrained("user/llama", revision=revision)
        inputs = AutoTokenizer.from_pretrained("user/llama", revision=revision)("Gene: GEN1", return_tensors="pt")
        with torch.no_grad():
            assert torch.equal(model(**inputs).logits, again(**inputs).logits)
    with refused(OSError):
        AutoModelForCausalLM.from_pretrained("user/never-created")


@flow
def adapters(at: Setting) -> None:
    import torch
    from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained("user/llama")
    adapted = get_peft_model(base, LoraConfig(r=2, init_lora_weights=False, task_type="CAUSAL_LM"))
    adapted.save_pretrained(at.folder / "adapter")
    at.api.create_repo("user/adapter", private=True)
    at.api.upload_folder(repo_id="user/adapter", folder_path=at.folder / "adapter")
    inputs = torch.arange(12).reshape(1, 12)
    with torch.no_grad():
        expected = adapted(inputs).logits
        plain = AutoModelForCausalLM.from_pretrained("user/llama")
        assert not torch.allclose(plain(inputs).logits, expected)
        loaded = PeftModel.from_pretrained(plain, "user/adapter", revision=at.api.model_info("user/adapter").sha)
        assert torch.equal(loaded(inputs).logits, expected)
        assert torch.equal(AutoPeftModelForCausalLM.from_pretrained("user/adapter")(inputs).logits, expected)


@flow
def sentence_transformers(at: Setting) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = at.folder / "bert"
    AutoTokenizer.from_pretrained(at.folder / "llama").save_pretrained(folder)
    sizes = {"vocab_size": 400, "hidden_size": 16, "intermediate_size": 32}
    BertModel(BertConfig(num_hidden_layers=1, num_attention_heads=2, **sizes)).save_pretrained(folder)
    encoder = Transformer(str(folder))
    model = SentenceTransformer(modules=[encoder, Pooling(16)], device="cpu")
    model.push_to_hub("user/encoder", private=True)
    again = SentenceTransformer("user/encoder", device="cpu")
    assert np.array_equal(model.encode("Gene: GEN1"), again.encode("Gene: GEN1"))


def main() -> None:
    folder = Path(sys.argv[1])
    tokens = dict(argument.split("=", 1) for argument in sys.argv[2:])
    for function in FLOWS:
        failure = None
        try:
            function(Setting(folder, tokens))
        except Exception:
            failure = traceback.format_exc()
        # On a line of its own, whatever a progress bar has begun.
        print("\n" + json.dumps({"flow": function.__name__, "failure": failure}), flush=True)


if __name__ == "__main__":
    main()
