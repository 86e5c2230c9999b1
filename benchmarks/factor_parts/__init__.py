"""The parts of the benchmark of factors."""
