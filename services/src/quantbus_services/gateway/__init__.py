"""The gateway: signals over HTTP, for scripts on other hosts and for charting sites."""

__all__: list[str] = []
