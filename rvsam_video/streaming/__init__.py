"""One video, frame by frame: `VideoSegmenter` makes a `Session`, which turns frames into results.

In come frames and prompts, at any time; out goes one `FrameResult` per frame, in order. Memory
does not grow with the video.
"""
