"""``python -m quantbus_contracts.cli`` is ``quantbus``."""

from quantbus_contracts.cli.root import main

main()
