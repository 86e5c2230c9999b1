"""A standing order of an operator or a watchdog to bots: block, halt or flatten, for one scope."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError

from quantbus_contracts.schema._base import Identifier, Pair
from quantbus_contracts.schema._standing import Standing

__all__ = ["Control", "ControlKind", "Scope"]

_NAMED = {"strategy": TypeAdapter(Identifier), "consumer": TypeAdapter(Identifier), "pair": TypeAdapter(Pair)}
_FORMS = "'all', 'strategy:ID', 'pair:BASE/QUOTE' or 'consumer:ID'"


def _known_scope(text: str) -> str:
    if text == "all":
        return text
    kind, _, name = text.partition(":")
    if kind not in _NAMED:
        raise ValueError(f"expected {_FORMS}, found {text!r}")
    try:
        _NAMED[kind].validate_python(name)
    except ValidationError:
        raise ValueError(f"expected {_FORMS}, found {text!r}: {name!r} is not the name of a {kind}") from None
    return text


Scope = Annotated[str, AfterValidator(_known_scope)]
"""What a control is about: everything, or one strategy, pair or consumer."""


class ControlKind(StrEnum):
    """What bots are to do, mildest first."""

    BLOCK = "block"
    """Make no new entries; exits go on."""
    HALT = "halt"
    """Act on no signal, neither entries nor exits; a bot's own stops go on."""
    FLATTEN = "flatten"
    """Leave every position and make no new entries."""

    @property
    def rank(self) -> int:
        """How restrictive it is; the higher wins."""
        return list(ControlKind).index(self)


class Control(Standing):
    """One control; ``source`` is who set it, and only the same source lifts it.

    ``at`` and ``expires_at`` are the database's clock. A lifted control is one that expired when it was lifted.
    """

    scope: Scope
    source: Identifier
    kind: ControlKind
    lifted_by: Annotated[str, Field(min_length=1, max_length=128)] | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes the row unique: scope and source."""
        return self.scope, self.source

    def concerns(self, *, strategy_id: str | None, pair: str | None, consumer_id: str | None) -> bool:
        """Tell whether it is about this strategy, pair or consumer; None means that there is none to speak of."""
        kind, _, name = self.scope.partition(":")
        named = {"strategy": strategy_id, "pair": pair, "consumer": consumer_id}
        return kind == "all" or named[kind] == name
