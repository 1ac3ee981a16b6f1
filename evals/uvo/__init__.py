"""UVO and YouTube-VIS: AP and AR of object tracks, as the official tools score them.

In come annotations and predicted tracks, or a method to run; out go twelve numbers.
"""
