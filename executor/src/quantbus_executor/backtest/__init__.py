"""The same follower over the past: Freqtrade's backtest and hyperopt, with the bus as it stood at each moment."""
