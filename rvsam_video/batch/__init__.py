"""Many clips on many processes and machines: `track_many`, and the one worker loop beneath.

In comes a list of units of work that all workers share by a file system; each worker takes what
nobody has, and out come finished run folders and a table of them. There is no coordinator.
"""
