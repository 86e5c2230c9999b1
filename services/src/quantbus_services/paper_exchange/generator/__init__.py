"""Made-up markets: bars, swaps and their funding, each a pure function of a seed."""
