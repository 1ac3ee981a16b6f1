"""`rvsam-video`: the command group, and how errors reach a person (or a program)."""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Sequence

import click

from rvsam_video import __version__
from rvsam_video.cli.ending import ending_in_order, exit_code_of, print_nowhere
from rvsam_video.cli.group import Later, LazyGroup
from rvsam_video.errors import RvsamError

_GROUPS = "rvsam_video.cli.benchmarks.groups"
_COMMANDS = {
    "batch": Later(
        "rvsam_video.cli.batch", "Follow objects through many clips, by many workers and machines."
    ),
    "bench": Later(
        "rvsam_video.cli.bench", "Time the learned segmenters on this machine; needs no weights."
    ),
    "demo": Later(
        "rvsam_video.cli.demo",
        "Track a rendered clip with exact truth; needs no file and no download.",
    ),
    "distill": Later(
        "rvsam_video.cli.distill.group", "Train a small segmenter to do what a large one does."
    ),
    "eval": Later(_GROUPS, "Run the tracker on a benchmark and score what comes out.", "evaluate"),
    "export": Later(
        "rvsam_video.cli.export", "Write a network for ONNX Runtime, OpenVINO or Core ML."
    ),
    "finish": Later(
        "rvsam_video.cli.finish",
        "Make the files of a run that was killed from what it had written.",
    ),
    "info": Later(
        "rvsam_video.cli.info", "Show versions, trackers and segmenters, or what a video holds."
    ),
    "instances": Later(
        "rvsam_video.cli.instances", "Find and follow everything in a video, without prompts."
    ),
    "points": Later(
        "rvsam_video.cli.points",
        "Follow points alone and write an overlay with trails and tables.",
    ),
    "score": Later(_GROUPS, "Score results that are already there, made by any tool.", "score"),
    "track": Later(
        "rvsam_video.cli.track",
        "Follow objects through a video and write masks, an overlay and points.",
    ),
    "web": Later("rvsam_video.cli.web", "Open a page to click objects on and watch them tracked."),
    "weights": Later(
        "rvsam_video.cli.weights", "List, fetch, verify and locate the weights of the networks."
    ),
}


@click.command(
    "rvsam-video",
    cls=LazyGroup,
    later=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "--version", prog_name="rvsam-video")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def group(debug: bool) -> None:
    """Segment and track any object in a video from a few clicks."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; those of the process by default.

    Returns:
        0 if all went well, 1 for a failed run, 2 for bad usage, 130 after Ctrl-C, 143 after SIGTERM
        and 129 after a closed terminal.
    """
    given = _with_negative_places(list(sys.argv[1:] if arguments is None else arguments))
    try:
        with ending_in_order():
            code = group.main(args=given, prog_name="rvsam-video", standalone_mode=False)
    except click.ClickException as error:
        return _report(given, error, _click_message(error), error.exit_code)
    except RvsamError as error:
        return _report(given, error, str(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        return _report(given, error, "interrupted", exit_code_of(error))
    except BrokenPipeError:
        # What is still in the buffer would fail again when the program ends.
        print_nowhere(sys.stdout)
        return 1
    except Exception as error:
        # A person is owed one sentence, whatever happened.
        text = f"{type(error).__name__}: {error} (a bug; add --debug for the traceback)"
        return _report(given, error, text, 1)
    return code if isinstance(code, int) else 0


_PLACES = ("--points", "--point", "--box")
_NEGATIVE = re.compile(r"-[0-9.]")


def _with_negative_places(given: list[str]) -> list[str]:
    """Make negative coordinates values of their options: click takes them for options."""
    split: list[str] = []
    for word in given:
        name, equals, value = word.partition("=")
        # A space in front is a word like any other to click, and nothing to those who read places.
        if equals and name in _PLACES and _NEGATIVE.match(value):
            split += [name, f" {value}"]
        elif split and split[-1] in _PLACES and _NEGATIVE.match(word):
            split.append(f" {word}")
        else:
            split.append(word)
    return split


def entry() -> None:
    """Entry point of the installed program."""
    sys.exit(main())


def _click_message(error: click.ClickException) -> str:
    where = getattr(error, "ctx", None)
    hint = f" (see {where.command_path} --help)" if where is not None else ""
    return f"{error.format_message()}{hint}"


def _report(given: list[str], error: BaseException, message: str, code: int) -> int:
    if "--json" in given:
        click.echo(json.dumps({"event": "error", "message": message, "exit_code": code}))
    else:
        click.echo(f"rvsam-video: {message}", err=True)
    if "--debug" in given:
        traceback.print_exception(error)
    return code
