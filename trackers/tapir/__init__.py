"""TAPIR and BootsTAPIR as point trackers (Doersch et al., 2023 and 2024), online and for clips.

In come frames and query points; out come places, visibility and confidence: of the online network
with the frame itself. The networks are written here from the papers and from what the public code
computes: its package is not needed. Importing this loads no torch.
"""
