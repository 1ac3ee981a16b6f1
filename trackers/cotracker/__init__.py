"""CoTracker 1, 2 and 3 as streaming point trackers (Karaev et al., 2023 and 2024).

In come frames and query points; out come places, visibility and confidence, as many frames later
as a window needs. The networks are written here from the papers and from what the public code
computes: its package is not needed. Importing this loads no torch.
"""
