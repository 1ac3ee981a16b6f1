"""Everything that writes results, frame by frame, such that a killed run can go on.

In come `FrameResult`s; out go files in a run folder. A sink is a `Sink` (`base`), found by its name
(`names`); what it has written ends at a mark that it can be cut back to. Importing this loads
nothing: an output's module is imported when it is made.
"""
