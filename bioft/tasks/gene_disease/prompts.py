"""Prompts for yes/no questions to a language model, in the prompt–completion form that TRL trains on.

A style fixes the words, the two answers (verbalizers) and whether the tokenizer's chat template is used.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bioft.errors import BioftError

if TYPE_CHECKING:
    from datasets import Dataset

Message = dict[str, str]
INSTRUCTION = "Is the gene associated with the disease? Answer yes or no."


@dataclass(frozen=True)
class PromptStyle:
    """A prompt template over `{gene}` and `{disease}`, with the answers for label 1 and 0."""

    template: str
    positive: str
    negative: str
    system: str | None = None


STYLES = {
    "chat": PromptStyle("Gene: {gene}\nDisease: {disease}", "yes", "no", system=INSTRUCTION),
    # No instruction: a fine-tuned model does not need one, and on a CPU tokens are time (15 a pair, chat has 46).
    "plain": PromptStyle("{gene} and {disease}:", " yes", " no"),
    # Word for word the prompt of BioAlign-QLoRA (2024), for comparison with its figures.
    "alpaca": PromptStyle(
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        "Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nDetermine if the following gene-disease association is true or false.\n\n"
        "### Input:\n{gene} is associated with {disease}\n\n### Response:\n",
        "true",
        "false",
    ),
}


class PairPrompts:
    """Turns gene–disease pairs into what one model reads, in training and in scoring alike."""

    def __init__(self, style: str, tokenizer: Any) -> None:
        """Take a style's name; `auto` is `chat` where the tokenizer has a chat template, else `plain`.

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
        self.has_system_role = style == "chat" and self._renders([{"role": "system", "content": "?"}])

    def _renders(self, head: list[Message]) -> bool:
        # Templates such as Mistral's and Gemma's raise for a system message, or leave it out without a word.
        try:
            messages = [*head, {"role": "user", "content": "!"}]
            text = self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception:
            return False
        return all(message["content"] in text for message in head)

    def prompt(self, gene: str, disease: str) -> str | list[Message]:
        """The question: plain text, or messages for the chat template."""
        content = self.style.template.format(gene=gene, disease=disease)
        if self.style.system is None:
            return content
        if self.has_system_role:
            return [{"role": "system", "content": self.style.system}, {"role": "user", "content": content}]
        return [{"role": "user", "content": f"{self.style.system}\n{content}"}]

    def example(self, row: dict[str, Any]) -> dict[str, Any]:
        """One training example with `prompt` and `completion`, for TRL's completion-only loss."""
        answer = self.style.positive if row["label"] else self.style.negative
        prompt = self.prompt(row["gene"], row["disease"])
        chat = not isinstance(prompt, str)
        return {"prompt": prompt, "completion": [{"role": "assistant", "content": answer}] if chat else answer}

    def check_length(self, pairs: "Dataset", max_length: int | None) -> None:
        """Raise BioftError if a training example would be cut: TRL leaves it out without a word."""
        if max_length is None or not len(pairs):
            return
        lengths = list(map(len, self.token_ids(list(pairs["gene"]), list(pairs["disease"]))))
        row = pairs[lengths.index(max(lengths))]
        needed = max(self._example_length({**row, "label": label}) for label in (0, 1))
        if needed > max_length:
            raise BioftError(
                f"max_length is {max_length}, and {row['gene']} with {row['disease']} takes {needed} tokens with the "
                f"answer, which would be cut off. Give --max_length {needed} or more."
            )

    def _example_length(self, row: dict[str, Any]) -> int:
        """Tokens of a training example, with the one that ends the answer."""
        example = self.example(row)
        whole = example["prompt"] + example["completion"]
        if self.name == "chat":
            return len(self.tokenizer.apply_chat_template(whole, return_dict=True)["input_ids"])
        return len(self.tokenizer(whole)["input_ids"]) + 1

    def token_ids(self, genes: list[str], diseases: list[str]) -> list[list[int]]:
        """The prompts' tokens, one list a pair, just as TRL tokenizes them for training."""
        prompts = [self.prompt(gene, disease) for gene, disease in zip(genes, diseases, strict=True)]
        if self.name != "chat":
            return self.tokenizer(prompts)["input_ids"]
        return self.tokenizer.apply_chat_template(prompts, add_generation_prompt=True, return_dict=True)["input_ids"]
