"""The pictures that README shows, made by the tool itself: `python -m tests.pictures` draws them again."""
