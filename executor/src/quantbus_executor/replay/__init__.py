"""The same candles and signals three ways: Freqtrade's backtest, the policy in a simulated loop, a real dry run."""
