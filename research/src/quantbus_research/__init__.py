"""quantbus_research: from candles to signals; a stair of rooms, each with one door.

``settings`` → ``factors | labels | evaluation`` → ``dataset`` → ``models`` → ``registry`` → ``publish`` →
``workflows`` → ``worker | cli``: a room imports only from rooms before it.
"""

__all__: list[str] = []
