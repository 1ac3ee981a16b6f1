"""What a user says about objects: points, boxes and masks, each in one frame.

In come words of the command line, files, pictures or arrays; out go checked `Prompt`s, and the
JSON that repeats them.
"""

from rvsam_video.prompts.files import load_prompts, save_prompts
from rvsam_video.prompts.prompt import MAX_OBJECT_ID, Prompt, check_against_frame, merge_prompts
from rvsam_video.prompts.words import parse_prompts

__all__ = [
    "MAX_OBJECT_ID",
    "Prompt",
    "check_against_frame",
    "load_prompts",
    "merge_prompts",
    "parse_prompts",
    "save_prompts",
]
