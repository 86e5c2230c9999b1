"""What every process needs around its work: settings, logging, metrics, a clean stop."""
