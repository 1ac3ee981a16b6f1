"""`GrabCut`: a segmenter without weights, on dense motion, colours, texture and a minimum cut.

In come pictures in order, and prompts with what is remembered of each object; out come masks with
what is to be remembered next. Importing this loads no OpenCV.
"""
