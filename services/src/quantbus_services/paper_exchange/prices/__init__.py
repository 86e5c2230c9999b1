"""What may be seen of a market inside a bar: its path, its trades, a book around its price."""
