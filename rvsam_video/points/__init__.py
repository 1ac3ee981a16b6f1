"""The points of objects: which to follow, whose they are, and what a segmenter is told of them.

In come masks, and what a tracker answered; out go query points, a `PointTable` per frame, and one
`ObjectPrompt` per object.
"""
