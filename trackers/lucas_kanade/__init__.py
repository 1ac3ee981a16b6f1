"""`LucasKanade`: a point tracker without weights, on pyramidal optical flow.

In come frames and query points; out come places, visibility and confidence, frame by frame.
Importing this loads no OpenCV.
"""
