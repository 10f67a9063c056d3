import string
import sys
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from bioft.errors import BioftError
from bioft.storage import yaml_config
from bioft.training import presets


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipes folder of its own, so that a new preset in the repository changes no test."""
    folder = tmp_path / "recipes"
    for name, text in {
        "sft_gda/smollm2_ctd": "# SmolLM2 on CTD\nseed: 0\n",
        "sft_gda/default": "# SmolLM2 on HPO\nseed: 0\nlearning_rate: 1.0e-4\n",
        "sft_gda/llama3_8b": "seed: 0\n",
        "mlm/default": "# masked\n",
        "accelerate/cpu": "# One process on the CPU\n",
    }.items():
        path = folder / "configs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr(presets, "recipes_directory", lambda: folder)
    return folder


def test_the_checkout_has_recipes() -> None:
    assert (presets.recipes_directory() / "configs").is_dir()


def test_an_installed_wheel_uses_its_own_recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages" / "bioft"
    (package / "_recipes" / "configs").mkdir(parents=True)
    (tmp_path / "site-packages" / "recipes" / "configs").mkdir(parents=True)  # of some other package
    monkeypatch.setattr("bioft.__file__", str(package / "__init__.py"))
    assert presets.recipes_directory() == package / "_recipes"


def test_no_recipes_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bioft.__file__", str(tmp_path / "bioft" / "__init__.py"))
    with pytest.raises(BioftError, match="Reinstall bioft"):
        presets.recipes_directory()


def test_list_is_ordered_and_described(recipes: Path) -> None:
    found = [(preset.recipe, preset.name, preset.description) for preset in presets.list_presets()]
    assert found == [
        ("mlm", "default", "masked"),
        ("sft_gda", "default", "SmolLM2 on HPO"),
        ("sft_gda", "llama3_8b", ""),
        ("sft_gda", "smollm2_ctd", "SmolLM2 on CTD"),
        ("accelerate", "cpu", "One process on the CPU"),
    ]


def test_every_shipped_preset_is_valid_and_described() -> None:
    for preset in presets.list_presets():
        assert yaml_config.load_config(preset.path), preset.path
        assert preset.description, f"{preset.path} needs a comment as its first line"


def test_resolve(recipes: Path) -> None:
    assert presets.resolve_config("sft_gda") == recipes / "configs" / "sft_gda" / "default.yaml"
    with pytest.raises(BioftError, match=r"no preset 'llama3_8'.*Did you mean 'llama3_8b'"):
        presets.resolve_config("sft_gda", "llama3_8")
    with pytest.raises(BioftError, match=r"no recipe 'sft-gda'.*Did you mean 'sft_gda'.*mlm"):
        presets.resolve_config("sft-gda", "default")
    with pytest.raises(BioftError) as caught:
        presets.resolve_config("sft_gda", "zzz")
    assert "Did you mean" not in str(caught.value)


def test_a_preset_name_cannot_leave_the_folder(recipes: Path) -> None:
    with pytest.raises(BioftError, match=r"no preset"):
        presets.resolve_config("sft_gda", "../mlm/default")


def test_copy_never_overwrites_silently(recipes: Path, tmp_path: Path) -> None:
    copy = presets.copy_preset("sft_gda", "default", tmp_path)
    assert copy == tmp_path / "default.yaml"
    assert copy.read_text() == presets.resolve_config("sft_gda", "default").read_text()
    copy.write_text("mine: 1\n")
    with pytest.raises(BioftError, match="--overwrite"):
        presets.copy_preset("sft_gda", "default", tmp_path)
    assert copy.read_text() == "mine: 1\n"
    presets.copy_preset("sft_gda", "smollm2_ctd", copy, overwrite=True)
    assert copy.read_text().startswith("# SmolLM2 on CTD")
    with pytest.raises(BioftError, match="does not exist"):
        presets.copy_preset("sft_gda", "default", tmp_path / "absent" / "my.yaml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["default.yaml", "recipes"]


def test_misspelled_keys_name_line_and_nearest(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("# mine\nseed: 0\nlearning_rat: 1.0e-4\nzzz: 1\n", encoding="utf-8")
    with pytest.raises(BioftError) as caught:
        presets.check_keys(yaml_config.load_config(path), {"seed", "learning_rate"}, path)
    assert str(caught.value).splitlines() == [
        f"{path}, line 3: unknown key 'learning_rat'. Did you mean 'learning_rate'?",
        f"{path}, line 4: unknown key 'zzz'.",
    ]


@given(st.sets(st.text(string.ascii_lowercase + "_", min_size=1), min_size=1, max_size=8))
def test_known_keys_pass_and_any_other_fails(keys: set[str]) -> None:
    config = dict.fromkeys(keys, 1)
    presets.check_keys(config, keys, Path("my.yaml"))
    with pytest.raises(BioftError, match="unknown key 'Extra'"):
        presets.check_keys({**config, "Extra": 1}, keys, Path("my.yaml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: 1\nb: [1, 2\nc: 3\n", "line 3, column 2: not valid YAML"),
        (b"a: 1\n\tb: 2\n", "line 2, column 1: not valid YAML"),
        (b"a: 1\nb: 2\na: 3\n", "line 3: the key 'a' was set on line 1"),
        (b"- a\n- b\n", "`key: value`, found a list"),
        (b"a: 1\nb: caf\xe9\n", "line 2: not valid UTF-8"),
        (b"a: \x07\n", "not valid YAML"),
        (b"a: !!python/object:os.system x\n", "line 1, column 4: not valid YAML"),
    ],
)
def test_bad_yaml(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with pytest.raises(BioftError) as caught:
        yaml_config.load_config(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_missing_file_folder_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(BioftError, match="does not exist"):
        yaml_config.load_config(tmp_path / "absent.yaml")
    with pytest.raises(BioftError, match="is a folder"):
        yaml_config.load_config(tmp_path)
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert yaml_config.load_config(tmp_path / "empty.yaml") == {}


def test_a_configuration_that_is_nested_too_deeply_is_one_sentence(tmp_path: Path) -> None:
    path, limit = tmp_path / "deep.yaml", sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # some libraries raise it
    try:
        for depth in (900, 5000):
            path.write_text("seed: " + "{a: " * depth + "1" + "}" * depth + "\n")
            with pytest.raises(BioftError, match=r"deep\.yaml: its values are nested too deeply\.$"):
                yaml_config.load_config(path)
    finally:
        sys.setrecursionlimit(limit)
