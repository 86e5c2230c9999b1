"""The stack on one machine, for development and for seeing it work; production never imports this room."""
