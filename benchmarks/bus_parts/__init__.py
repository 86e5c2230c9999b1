"""The parts of the bus benchmark: what is measured, and beside what."""
