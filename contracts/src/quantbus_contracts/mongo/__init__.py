"""The real bus: MongoDB adapters. Import the module you mean; writers are not re-exported."""
