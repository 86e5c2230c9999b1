"""Parts of the monitor's benchmark."""
