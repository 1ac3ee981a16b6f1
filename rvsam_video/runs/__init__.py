"""A run: a source goes in, results come out in a folder that outlives any kill.

In come options (`ObjectOptions` and `PointOptions`); out goes a folder whose `run.json` says all
that is needed to repeat it, and a summary. `loop` is the one loop that every run goes through,
whichever face started it.
"""
