"""Recipes that other code starts, in the process of the test: importing the libraries again takes too long."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from bioft.errors import BioftError
from tests.recipe import load_recipe, run_recipe


class RecipeInProcess:
    """In the place of `bioft.training.recipe_process.run_recipe`; remembers the words of each call.

    `instead` are answers for the next calls in place of a training: an exit code, or an exception to be raised.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.instead: list[int | type[BaseException] | None] = []

    def __call__(self, script: Path, words: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
        self.calls.append(" ".join(words))
        answer = self.instead.pop(0) if self.instead else None
        if isinstance(answer, int):
            return answer
        if answer is not None:
            raise answer
        try:
            run_recipe(load_recipe(script.stem), *words)
        except BioftError as error:
            print(error)
            return 1
        return 0
