"""Pictures of README, drawn by the tool itself: `python -m tests.pictures` draws them again."""
