"""The market list: names, rules, and what happens to them in time."""
