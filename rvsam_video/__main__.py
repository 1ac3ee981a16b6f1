"""`python -m rvsam_video`: the same as the program `rvsam-video`."""

from rvsam_video.cli.main import run

if __name__ == "__main__":
    run()
