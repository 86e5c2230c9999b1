"""Parts of ``benchmarks/executor.py``: bots, what they are told, and when they ordered."""
