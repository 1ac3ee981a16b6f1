"""Commands below `eval` and `score`, one a file: parse, call `rvsam_video.evals`, print."""
