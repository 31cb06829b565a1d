"""The manifest: its model, and a reader that checks every value."""
