"""Search indexes behind the server: what each half of a search finds, which `bioft search` merges and fuses.

Queries come embedded, so that the server needs no encoder.
"""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import FastAPI
from fastapi.exceptions import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from bioft.errors import BioftError
from bioft.search import layout
from bioft.search.searchable import Searchable

DEEPEST = 1000
"""Articles that can be asked for at once."""


@dataclass(frozen=True)
class Served:
    """An index that is served, asked at `/indexes/{name}/search`."""

    name: str
    index: Searchable

    def about(self) -> dict[str, Any]:
        """What is told of it."""
        manifest = self.index.manifest
        told = {key: manifest[key] for key in ("model", "dimensions")} | {"vectors": layout.stored_as(manifest)}
        return {"name": self.name, "path": f"/indexes/{self.name}/search", "count": len(self.index), **told}


class Question(BaseModel):
    """Queries by their words, their embeddings, or both; and filters."""

    model_config = ConfigDict(extra="forbid")
    queries: list[str] | None = None
    vectors: list[list[float]] | None = None
    depth: int = Field(ge=1, le=DEEPEST)
    from_year: int | None = None
    to_year: int | None = None
    mesh: list[str] = []


class Rows(BaseModel):
    """Rows of articles that were found."""

    model_config = ConfigDict(extra="forbid")
    rows: list[int] = Field(max_length=DEEPEST)


def add(app: FastAPI, served: Served, thread: Executor, max_rows: int) -> None:
    """Add the addresses of an index, which is read in `thread` alone."""
    place = f"/indexes/{served.name}"

    async def here(function: Any, *arguments: Any) -> dict[str, Any]:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, function, served.index, *arguments)
        except BioftError as error:
            raise HTTPException(422, str(error)) from None

    @app.get(place, name=f"{served.name}_about", description="The model and the size of the index.")
    def about() -> dict[str, Any]:
        return served.about()

    @app.post(f"{place}/search", name=f"{served.name}_search", description="What each half of a search finds.")
    async def search(asked: Question) -> dict[str, Any]:
        return await here(_search, asked, max_rows)

    @app.post(f"{place}/texts", name=f"{served.name}_texts", description="The texts of articles that were found.")
    async def texts(asked: Rows) -> dict[str, Any]:
        return await here(_texts, asked)


def _search(index: Searchable, asked: Question, max_rows: int) -> dict[str, Any]:
    given = [each for each in (asked.queries, asked.vectors) if each is not None]
    if not given or len({len(each) for each in given}) > 1 or not 0 < len(given[0]) <= max_rows:
        raise BioftError(f"Give 1 to {max_rows:,} queries, vectors, or as many of both.")
    vectors = None
    if asked.vectors is not None:
        if {len(each) for each in asked.vectors} != {index.manifest["dimensions"]}:
            raise BioftError(f"The vectors of this index have {index.manifest['dimensions']:,} dimensions.")
        vectors = np.array(asked.vectors, np.float32)
    try:
        rows = index.filtered(asked.from_year, asked.to_year, asked.mesh)
    except BioftError as error:
        if not asked.mesh:
            raise
        return {"lacking": str(error), "found": []}  # another index may have the term
    halves = index.halves(vectors, asked.queries, asked.depth, rows)
    every = zip(halves, [None] * len(halves) if vectors is None else vectors, strict=True)
    found = [
        {name: _told(index, half, vector) for name, half in zip(("by_words", "by_meaning"), both, strict=True)}
        for both, vector in every
    ]
    return {"lacking": "", "found": found}


def _told(index: Searchable, half: dict[int, float], vector: Any) -> list[dict[str, Any]]:
    rows = list(half)
    each = zip(rows, half.values(), index.cosines(vector, rows), index.shown(rows, many=True), strict=True)
    return [{"row": row, "of_half": score, "cosine": cosine, **article} for row, score, cosine, article in each]


def _texts(index: Searchable, asked: Rows) -> dict[str, Any]:
    if not all(0 <= row < len(index) for row in asked.rows):
        raise BioftError(f"The index has the rows 0 to {len(index) - 1:,}.")
    return {"texts": index.texts(asked.rows)}
