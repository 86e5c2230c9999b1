"""The live loop, and what goes on beside it."""
