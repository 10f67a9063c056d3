"""What a language model reads of a document: its text, and a question for each candidate and relation type."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from string import Formatter
from typing import Any, NamedTuple

from bioft.errors import BioftError
from bioft.tasks.relations.candidates import Arguments, Candidate, Concept

STYLES = ("plain", "chat")
PLACEHOLDERS = ("head", "tail", "head_type", "tail_type", "relation")
INSTRUCTION = " Answer yes or no."
LEAST_TEXT = 16
"""Tokens of a text that must be left beside the longest question about it."""


class Asked(NamedTuple):
    """A document as token ids: its text, cut or not, and each question with the candidate and the type it is about."""

    text: list[int]
    questions: list[list[int]]
    places: list[tuple[int, int]]
    cut: bool


@dataclass(frozen=True)
class Prompt:
    """How a document and two of its concepts become a prompt, of at most `max_length` tokens with its answer.

    A prompt is `before`, the text, an empty line, `question` with its placeholders filled in, and `after`; the answers
    are `positive` and `negative`. The tokenizer adds its special tokens to the plain style, a chat template has its
    own. With `share_text` a text is computed once for all questions about it. BioftError: placeholders that there are
    not, or a question that names no head or no tail.
    """

    style: str
    before: str
    question: str
    after: str
    positive: str
    negative: str
    max_length: int
    share_text: bool

    def __post_init__(self) -> None:
        try:
            # A placeholder is a name alone: `{head:999999999}` would write as many spaces.
            fields = [each[1:] for each in Formatter().parse(self.question) if each[1] is not None]
            named = {f"{name}{spec and f':{spec}'}{conversion or ''}" for name, spec, conversion in fields}
        except ValueError as error:
            raise BioftError(f"question is {self.question!r}: {error}.") from None
        if unknown := sorted(named - set(PLACEHOLDERS)):
            known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
            raise BioftError(f"question names {{{unknown[0]}}}, which is not known. There are: {known}.")
        if not {"head", "tail"} <= named:
            raise BioftError(f"question is {self.question!r}: it must hold {{head}} and {{tail}}.")

    @property
    def tells_types_apart(self) -> bool:
        """Whether the question is another one for each relation type."""
        return "{relation}" in self.question

    def question_about(self, texts: Sequence[str], candidate: Candidate, relation: str) -> str:
        """The question whether a candidate has a relation, with all that comes behind the text."""
        text, head, tail = texts[candidate.document], candidate.head, candidate.tail
        names = {"head": name_of(text, head), "tail": name_of(text, tail)}
        types = {"head_type": head.type.lower(), "tail_type": tail.type.lower(), "relation": relation}
        return f"\n\n{self.question.format(**names, **types)}{self.after}"

    def answers(self, tokenizer: Any) -> tuple[list[int], list[int]]:
        """The tokens of the positive and of the negative answer."""
        yes, no = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (self.positive, self.negative))
        return yes, no


def prompt_of(
    tokenizer: Any, arguments: Arguments, style: str, question: str, max_length: int, share_text: bool
) -> Prompt:
    """The prompt of a style, `plain` or `chat` (in the tokenizer's chat template), for relations of these types.

    BioftError: an unknown style, no chat template, a question as `Prompt` refuses it, or the same question for several
    relation types.
    """
    if style not in STYLES:
        raise BioftError(f"prompt_style is {style!r}; it must be one of {', '.join(STYLES)}.")
    before, after, answers = "", "", (" yes", " no")
    if style == "chat":
        before, after = _around_chat(tokenizer)
        answers = ("yes", "no")
    prompt = Prompt(style, before, question, after, *answers, max_length, share_text)
    if len(arguments) > 1 and not prompt.tells_types_apart:
        raise BioftError(f"question is {question!r}: with {len(arguments)} relation types it must hold {{relation}}.")
    return prompt


def _around_chat(tokenizer: Any) -> tuple[str, str]:
    """What the chat template writes before a user's text, and after the question in the same message."""
    if not getattr(tokenizer, "chat_template", None):
        raise BioftError("This model's tokenizer has no chat template: use --prompt_style plain.")
    text, question = "the text of a document", "a question about two concepts"
    message = {"role": "user", "content": f"{text}\n\n{question}{INSTRUCTION}"}
    whole = tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True)
    before, found, after = whole.partition(f"{text}\n\n{question}")
    if not found:
        raise BioftError("This model's chat template changes what a user says: use --prompt_style plain.")
    return before, after


def name_of(text: str, concept: Concept) -> str:
    """What a text calls a concept: its most frequent mention, and the second in brackets, "seizures (convulsions)".

    Names are counted without case; of equally frequent ones the first comes first.
    """
    mentions = [" ".join(text[start:end].split()) for start, end in concept.places]
    first = {mention.casefold(): mention for mention in reversed(mentions)}
    names = [first[name] for name, _ in Counter(map(str.casefold, mentions)).most_common(2)]
    return names[0] if len(names) == 1 else f"{names[0]} ({names[1]})"


def encode(
    prompt: Prompt, tokenizer: Any, texts: Sequence[str], found: Sequence[Candidate], arguments: Arguments
) -> list[Asked]:
    """The documents that hold candidates, in order, each with its questions in the order of its candidates.

    A text is cut at its end where it does not fit `max_length` with the longest question about it and an answer.
    BioftError: a `max_length` that leaves no room for a text.
    """
    places = [
        (row, column)
        for row, (_, head, tail, _) in enumerate(found)
        for column, pairs in enumerate(arguments.values())
        if (head.type, tail.type) in pairs
    ]
    if not places:
        return []
    names = list(arguments)
    words = [prompt.question_about(texts, found[row], names[column]) for row, column in places]
    questions = tokenizer(words, add_special_tokens=False)["input_ids"]
    documents = sorted({found[row].document for row, _ in places})
    read = tokenizer(
        [prompt.before + texts[document] for document in documents],
        add_special_tokens=prompt.style == "plain",
        verbose=False,
    )["input_ids"]
    asked = {document: Asked([], [], [], False) for document in documents}
    for place, question in zip(places, questions, strict=True):
        its = asked[found[place[0]].document]
        its.questions.append(question)
        its.places.append(place)
    answer = max(map(len, prompt.answers(tokenizer)))
    result = []
    for its, ids in zip(asked.values(), read, strict=True):
        longest = max(map(len, its.questions)) + answer
        room = prompt.max_length - longest
        if room < min(LEAST_TEXT, len(ids)):
            raise BioftError(
                f"max_length is {prompt.max_length}, and a question with its answer takes {longest} tokens: nothing "
                f"is left for the text. Give --max_length {longest + LEAST_TEXT} or more."
            )
        result.append(its._replace(text=ids[:room], cut=len(ids) > room))
    return result
