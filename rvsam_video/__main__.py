"""`python -m rvsam_video`: the same as the program `rvsam-video`."""

from rvsam_video.cli.main import entry

if __name__ == "__main__":
    entry()
