"""TAP-Vid: how well points are followed.

In come clips with annotated points, and tracks of them or a tracker to run; out go AJ, the share of
points within thresholds, and occlusion accuracy.
"""
