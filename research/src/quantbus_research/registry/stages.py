"""Stages: which model is tried, which one speaks, which ones have been withdrawn; pure.

A model is a *candidate* until it is promoted. One may be in *staging* and one in *production*; what it displaces
there is *retired*. Production models form a line, so that each rollback goes one further back.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

__all__ = ["Stage", "StageBook", "StageChange"]

Stage = Literal["candidate", "staging", "production", "retired"]


class StageChange(BaseModel):
    """One line of the history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    model_id: str
    model_sha256: str
    came_from: Stage
    goes_to: Stage
    why: str
    figures: Mapping[str, float | int | str | None] = {}
    """What the gates saw."""


class StageBook(BaseModel):
    """The stages of one strategy's models, and how they came about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    revision: int = 0
    staging: str | None = None
    line: tuple[str, ...] = ()
    """Production models, the present one last."""
    history: tuple[StageChange, ...] = ()

    @property
    def production(self) -> str | None:
        """The model that speaks."""
        return self.line[-1] if self.line else None

    def at(self, stage: Stage) -> str | None:
        """Return the model in staging or production, if there is one."""
        return {"staging": self.staging, "production": self.production}.get(stage)

    def stage_of(self, model_id: str) -> Stage:
        """Return where a model stands."""
        if model_id == self.production:
            return "production"
        if model_id == self.staging:
            return "staging"
        return "retired" if any(change.model_id == model_id for change in self.history) else "candidate"

    def sha256_of(self, model_id: str) -> str | None:
        """Return the hash that the model had when it was promoted; None if it never was."""
        hashes = (change.model_sha256 for change in reversed(self.history) if change.model_id == model_id)
        return next(hashes, None)

    def promoted(
        self,
        model_id: str,
        sha256: str,
        stage: Literal["staging", "production"],
        *,
        at: datetime,
        why: str,
        figures: Mapping[str, float | int | str | None],
    ) -> Self:
        """Put a model on a stage; whatever stood there is retired."""
        rest = {"staging": None} if model_id == self.staging else {}
        place = {"staging": model_id} if stage == "staging" else {**rest, "line": (*self.line, model_id)}
        change = StageChange(
            at=at,
            model_id=model_id,
            model_sha256=sha256,
            came_from=self.stage_of(model_id),
            goes_to=stage,
            why=why,
            figures=figures,
        )
        displaced = self.at(stage)
        return self._with(place, change, *self._retiring(displaced, at, f"displaced by {model_id}"))

    def rolled_back(self, *, at: datetime, why: str) -> Self | None:
        """Put the production model before this one back; None if there is none."""
        if len(self.line) < 2:
            return None
        model_id = self.line[-2]
        change = StageChange(
            at=at,
            model_id=model_id,
            model_sha256=self.sha256_of(model_id) or "",
            came_from=self.stage_of(model_id),
            goes_to="production",
            why=why,
        )
        place: Mapping[str, object] = {"line": self.line[:-1]}
        if model_id == self.staging:
            place = {**place, "staging": None}
        return self._with(place, change, *self._retiring(self.production, at, why))

    def _retiring(self, model_id: str | None, at: datetime, why: str) -> tuple[StageChange, ...]:
        if model_id is None:
            return ()
        return (
            StageChange(
                at=at,
                model_id=model_id,
                model_sha256=self.sha256_of(model_id) or "",
                came_from=self.stage_of(model_id),
                goes_to="retired",
                why=why,
            ),
        )

    def _with(self, place: Mapping[str, object], *changes: StageChange) -> Self:
        history = (*self.history, *changes)
        return self.model_copy(update={**place, "revision": self.revision + 1, "history": history})
