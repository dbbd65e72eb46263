"""Without a screen: show, replay and the command line behind them."""
