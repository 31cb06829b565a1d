"""The manifest: its model, and the reader that checks every value."""
