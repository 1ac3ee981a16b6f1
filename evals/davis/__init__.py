"""DAVIS 2016 and 2017: J and F of masks, as the official evaluation scores them.

In come masks that any tool has written, or a method to run; out go the official table, CSV files
and a picture.
"""
