"""CoTracker 1, 2 and 3 as streaming point trackers (Karaev et al., 2023 and 2024)."""
