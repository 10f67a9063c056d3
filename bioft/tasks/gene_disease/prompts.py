"""Prompts for yes/no questions to a language model, in the prompt–completion form that TRL trains on.

A style fixes the words, the two answers (verbalizers) and whether the tokenizer's chat template is used.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset, DatasetDict

from bioft.datasets.hpo import context as contexts
from bioft.errors import BioftError

Message = dict[str, str]
INSTRUCTION = "Is the gene associated with the disease? Answer yes or no."


@dataclass(frozen=True)
class PromptStyle:
    """A prompt template over `{context}`, `{gene}` and `{disease}`, with the answers for label 1 and 0."""

    template: str
    positive: str
    negative: str
    system: str | None = None


STYLES = {
    "chat": PromptStyle("{context}Gene: {gene}\nDisease: {disease}", "yes", "no", system=INSTRUCTION),
    # No instruction: a fine-tuned model does not need one, and on a CPU tokens are time (15 a pair, chat has 46).
    "plain": PromptStyle("{context}{gene} and {disease}:", " yes", " no"),
    # Word for word the prompt of BioAlign-QLoRA (2024), for comparison with its figures.
    "alpaca": PromptStyle(
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nDetermine if the following gene-disease association is true or false.\n\n"
        "### Input:\n{context}{gene} is associated with {disease}\n\n### Response:\n",
        "true",
        "false",
    ),
}


class PairPrompts:
    """Turns gene–disease pairs into what one model reads, in training and in scoring alike."""

    def __init__(self, style: str, tokenizer: Any, context: dict[str, Any] | None = None) -> None:
        """Take a style's name, of which `auto` is `chat` where the tokenizer has a template, else `plain`.

        BioftError: an unknown style, or `chat` for a tokenizer without a template.
        """
        has_template = bool(getattr(tokenizer, "chat_template", None))
        if style == "auto":
            style = "chat" if has_template else "plain"
        if style not in STYLES:
            raise BioftError(f"Unknown prompt_style {style!r}. There are: auto, {', '.join(STYLES)}.")
        if style == "chat" and not has_template:
            raise BioftError("This model's tokenizer has no chat template: use --prompt_style plain.")
        self.name = style
        self.style = STYLES[style]
        self.tokenizer = tokenizer
        self.context = context
        self.described: dict[str, Any] | None = None
        self.shots: list[dict[str, Any]] = []
        self.has_system_role = style == "chat" and self._renders([{"role": "system", "content": "?"}])

    def _renders(self, head: list[Message]) -> bool:
        # Templates such as Mistral's and Gemma's raise for a system message, or leave it out without a word.
        try:
            messages = [*head, {"role": "user", "content": "!"}]
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception:
            return False
        return all(message["content"] in text for message in head)

    def prompt(self, gene: str, disease: str, about: str = "") -> str | list[Message]:
        """The question, after what is said of the two: plain text, or messages for the chat template."""
        content = self.style.template.format(context=about, gene=gene, disease=disease)
        if self.style.system is None:
            return content
        if self.has_system_role:
            return [{"role": "system", "content": self.style.system}, {"role": "user", "content": content}]
        return [{"role": "user", "content": f"{self.style.system}\n{content}"}]

    def example(self, row: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """One example with `prompt` and `completion`, for TRL's completion-only loss.

        Of a row of `training` the context hides what `contexts.withheld` says.
        """
        withheld = contexts.withheld(self.context, row) if self.context is not None and training else ()
        ((prompt, _, _),) = self._fitted([(row["gene"], row["disease"])], withheld)
        return {"prompt": prompt, "completion": self._completion(prompt, row["label"])}

    def _completion(self, prompt: str | list[Message], label: int) -> str | list[Message]:
        answer = self.style.positive if label else self.style.negative
        return answer if isinstance(prompt, str) else [{"role": "assistant", "content": answer}]

    def check_length(self, dataset: DatasetDict, max_length: int | None, record: dict[str, Any]) -> None:
        """Raise BioftError if a training example would be cut: TRL leaves it out without a word.

        Context is made to fit; `described` and a note of the record say what it is and how often it was cut.
        """
        if max_length is not None and len(dataset["train"]):
            self._make_fit(dataset["train"], max_length)
        if (described := self.describe(dataset)) is not None:
            contexts.note(described, record)

    def describe(self, dataset: DatasetDict) -> dict[str, Any] | None:
        """What the record says of the context, from then on as `described` too; None without one."""
        if self.context is not None:
            fitted = (each for rows in dataset.values() for each in self._fitted(_pairs_of(rows)))
            cut = sum(most < self.context["most"] for _, _, most in fitted)
            self.described = contexts.described(self.context, dataset, cut)
        return self.described

    def _make_fit(self, pairs: Dataset, max_length: int) -> None:
        bare = [self.prompt(*pair) for pair in _pairs_of(pairs)]
        lengths = list(map(len, self._ids(bare)))
        longest = lengths.index(max(lengths))
        row = pairs[longest]
        needed = max(self._example_length(bare[longest], label) for label in (0, 1))
        if needed > max_length:
            raise BioftError(
                f"max_length is {max_length}, and {row['gene']} with {row['disease']} takes {needed} tokens with the "
                f"answer, which would be cut off. Give --max_length {needed} or more."
            )
        if self.context is not None:
            self.context["longest"] = max_length - (needed - lengths[longest])

    def _example_length(self, prompt: str | list[Message], label: int) -> int:
        """Tokens of a training example, with the one that ends the answer."""
        whole: Any = prompt + self._completion(prompt, label)  # type: ignore[operator]
        if self.name == "chat":
            return len(self.tokenizer.apply_chat_template(whole, return_dict=True)["input_ids"])
        return len(self.tokenizer(whole)["input_ids"]) + 1

    def with_shots(self, train: Dataset, n: int, config: Any) -> "PairPrompts":
        """The same prompts after the first `n` training pairs, as many of either label, with their answers.

        BioftError: one pair only, fewer in training, or more than the window of a model of this configuration takes.
        """
        of_label = ([i for i, label in enumerate(train["label"]) if label == wanted][: n // 2] for wanted in (0, 1))
        rows = sorted(i for its in of_label for i in its)
        if n < 2 or n % 2 or len(rows) < n:
            raise BioftError(f"few_shot is {n}: give an even number up to that of pairs of either label in training.")
        found = copy.copy(self)
        found.shots = [self.example(train[i], training=True) for i in rows]
        window = getattr(config.get_text_config(), "max_position_embeddings", None)
        pair = train[rows[-1]]
        needed = len(found.token_ids([pair["gene"]], [pair["disease"]])[0]) + 1
        if window is not None and needed > window:
            raise BioftError(f"few_shot is {n}: such a prompt takes {needed:,} tokens, the model reads {window:,}.")
        return found

    def _after_shots(self, prompt: str | list[Message]) -> str | list[Message]:
        if isinstance(prompt, str):
            return "".join(f"{shot['prompt']}{shot['completion']}\n\n" for shot in self.shots) + prompt
        turns = [message for shot in self.shots for message in (*shot["prompt"], *shot["completion"])]
        whole = [*turns, *prompt]
        return [message for place, message in enumerate(whole) if place == 0 or message["role"] != "system"]

    def token_ids(self, genes: list[str], diseases: list[str]) -> list[list[int]]:
        """The prompts' tokens, one list a pair, just as TRL tokenizes them for training."""
        fitted = self._fitted(list(zip(genes, diseases, strict=True)))
        if self.shots:
            return self._ids([self._after_shots(prompt) for prompt, _, _ in fitted])
        return [ids for _, ids, _ in fitted]

    def _fitted(
        self, pairs: Sequence[tuple[str, str]], withheld: Sequence[str] = ()
    ) -> list[tuple[str | list[Message], list[int], int]]:
        """Of each pair the prompt, its tokens, and of how much context it is: the most that the window takes."""
        most, limit = (0, None) if self.context is None else (self.context["most"], self.context["longest"])
        found: dict[int, tuple[str | list[Message], list[int], int]] = {}
        left = list(range(len(pairs)))
        while left:
            prompts = [
                self.prompt(*pairs[i], contexts.about(self.context, *pairs[i], most, withheld) if most else "")
                for i in left
            ]
            for i, prompt, ids in zip(left, prompts, self._ids(prompts), strict=True):
                found[i] = prompt, ids, most
            left = [i for i in left if most and limit is not None and len(found[i][1]) > limit]
            most -= 1
        return [found[i] for i in range(len(pairs))]

    def _ids(self, prompts: Sequence[str | list[Message]]) -> list[list[int]]:
        if self.name != "chat" or not prompts:
            return self.tokenizer(prompts)["input_ids"] if prompts else []
        return self.tokenizer.apply_chat_template(prompts, add_generation_prompt=True, return_dict=True)["input_ids"]


def _pairs_of(rows: Dataset) -> list[tuple[str, str]]:
    return list(zip(rows["gene"], rows["disease"], strict=True))
