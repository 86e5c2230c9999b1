"""Fields that several collections have."""

from quantbus_contracts.validators import number, one_of, text

__all__ = ["ACTIONS", "IDENTIFIER", "PAIR", "PRICE", "STRATEGY_ID", "SYMBOL"]

PRICE = number(0, 1e15, above=True)
STRATEGY_ID = text(r"^[A-Za-z0-9_.-]{1,64}$")
IDENTIFIER = STRATEGY_ID
SYMBOL = text(r"^[A-Z0-9_]{1,32}:\S{1,64}$")
PAIR = text(r"^[^\s/:]{1,32}/[^\s/:]{1,32}(:[^\s/:]{1,48})?$")
ACTIONS = one_of("enter_long", "exit_long", "enter_short", "exit_short")
