"""The command line of the program, with `tiny-sam` in it: for processes that tests kill."""

from __future__ import annotations

import sys

from tiny_sam import tiny_sam

from rvsam_video.cli.main import main
from rvsam_video.segmenters import SegmenterRequest, register_segmenter
from rvsam_video.segmenters.base import Segmenter
from rvsam_video.segmenters.sam.segmenter import SamSegmenter


@register_segmenter("tiny-sam")
def tiny(request: SegmenterRequest) -> Segmenter:
    return SamSegmenter("tiny-sam", tiny_sam(), "cpu")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
