"""The account service: what the exchange account itself says, read with a key that can only read."""

__all__: list[str] = []
