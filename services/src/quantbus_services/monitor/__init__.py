"""The monitor: sees silence as well as noise, and says what to do."""

__all__: list[str] = []
