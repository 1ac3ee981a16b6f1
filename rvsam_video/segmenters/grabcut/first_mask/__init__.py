"""The first mask of an object from clicks or a box alone, without weights.

In come a picture and clicks or a box; out goes the mask of the best guess, grown and sharpened.
"""
