"""The page: click objects on any frame, watch the masks stream in, take everything away.

In come requests of browsers; out go pictures with masks as they come, and the files of a run.
"""
