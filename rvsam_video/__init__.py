"""rvsam-video."""
