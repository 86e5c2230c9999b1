"""The exchange as ingestion sees it: what it answers, when it may be asked, what time it has."""
