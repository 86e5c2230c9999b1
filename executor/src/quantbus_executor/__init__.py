"""quantbus."""
