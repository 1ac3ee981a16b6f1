"""Whole clips, read as often as needed: what evaluations run, as SAM-PT does.

In come a function that begins to read a clip, and objects; out go one `FrameResult` per frame, or
everything that a clip shows, found without prompts.
"""
