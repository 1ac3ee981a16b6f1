"""Resident size of a session while frames stream through it.

    python benchmarks/memory.py [--frames 20000] [--size 320x240] [--objects 2]

Prints the resident size every 1 000 frames; it must not grow with the video.
"""

from __future__ import annotations

import argparse
import itertools

import psutil

import rvsam_video as rv
from rvsam_video.demos.synthetic import SyntheticClip


def main() -> None:
    """Print a table, and the growth from frame 1 000 to the last."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--objects", type=int, default=2)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    clip = SyntheticClip(frames=200, size=(width, height))
    images = itertools.cycle([frame.image for frame in clip])
    prompts = [prompt for prompt in clip.prompts() if prompt.object_id <= options.objects]
    session = rv.VideoSegmenter().session(prompts)
    process = psutil.Process()
    sizes: dict[int, float] = {}
    for number in range(1, options.frames + 1):
        session.push(next(images))
        if number % 1000 == 0:
            sizes[number] = process.memory_info().rss / 2**20
            print(f"frame {number:>6}: {sizes[number]:8.1f} MiB", flush=True)
    growth = list(sizes.values())[-1] - sizes[1000]
    print(f"growth from frame 1000 to {options.frames}: {growth:+.1f} MiB")


if __name__ == "__main__":
    main()
