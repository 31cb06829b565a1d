"""Output for people: tables, figures, units and short texts."""
