"""Point trackers for the VOT toolkit."""
