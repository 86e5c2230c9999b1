"""Why a page is not shown or a form not taken."""

from http import HTTPStatus

__all__ = ["Refused"]


class Refused(Exception):
    """What was asked for is not to be had; the message says what was expected and what to do."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        """Answer with ``status`` and show ``message``."""
        super().__init__(message)
        self.status = status
        self.message = message
