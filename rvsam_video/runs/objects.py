"""A run that follows objects: prompts and a source in, masks and all that is made of them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rvsam_video.errors import UsageError
from rvsam_video.json_values import Json
from rvsam_video.methods import Method, Pair
from rvsam_video.prompts.as_json import prompts_to_json
from rvsam_video.prompts.files import save_prompts
from rvsam_video.prompts.from_python import check_whole
from rvsam_video.prompts.prompt import (
    Prompt,
    check_against_frame,
    merge_prompts,
    object_names,
)
from rvsam_video.runs.driving import drive
from rvsam_video.runs.job import (
    Job,
    Ready,
    RunListener,
    RunSummary,
    Silent,
    nothing_to_do,
    refuse_endless,
)
from rvsam_video.runs.layout import PROMPTS_FILE
from rvsam_video.runs.options import CommonOptions
from rvsam_video.sinks.base import Sink, SinkContext, create_sinks
from rvsam_video.sinks.names import DEFAULT_SINKS
from rvsam_video.sources.base import FrameSource
from rvsam_video.sources.pictures import ImageSequence
from rvsam_video.sources.video_file import pixel_aspect_of
from rvsam_video.streaming.both_ways import ObjectWays
from rvsam_video.streaming.engine import VideoSegmenter, object_direction
from rvsam_video.streaming.scaling import Reduction

Load = Callable[[Pair], VideoSegmenter]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(CommonOptions):
    """What a run reads, follows and writes; see `CommonOptions` for the rest.

    Attributes:
        prompts: what to follow.
        save: names of outputs, of `rvsam_video.sinks.names.SINK_NAMES`.
        background: RGB colour behind cut-out objects.
    """

    prompts: Sequence[Prompt]
    save: tuple[str, ...] = DEFAULT_SINKS
    background: tuple[int, int, int] = (0, 255, 0)


def run(
    options: RunOptions,
    listener: RunListener | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    ready: Ready = nothing_to_do,
    load: Load = VideoSegmenter.of,
) -> RunSummary:
    """Track a source into a run folder; go on where the same run was interrupted.

    Args:
        options: what to read, follow and write.
        listener: is told what happens.
        should_stop: asked after every frame; once it says yes, the run closes its files and ends
            as `interrupted`, to be resumed by the same call.
        ready: is called once source, names and prompts are known to be right, before anything is
            loaded.
        load: builds tracker and segmenter; workers that do many clips do it once.

    Raises:
        UsageError: if a name or value makes no sense.
        PromptError: if a prompt does not fit the frames.
        SourceError: if the source cannot be read.
        WeightsError: if weights cannot be had, or are those of another network.
        OutputError: if the folder belongs to another command, or cannot be written.
    """
    prepare = partial(
        ObjectJob.load, options, listener=listener or Silent(), ready=ready, build=load
    )
    return drive(options, prepare, listener, should_stop)


class ObjectJob(Job):
    """A run that follows objects, ready to begin; `load` makes one.

    Args:
        options: what to read, follow and write.
        source: where the frames come from; looked at for its name and size.
        segmenter: what tracks, loaded from the method of the options; its parts have names.

    Raises:
        UsageError: if a part of the segmenter has no name.
        WeightsError: if a file of weights has gone.
    """

    def __init__(self, options: RunOptions, source: FrameSource, segmenter: VideoSegmenter) -> None:
        if segmenter.pair is None:
            raise UsageError("a run needs a tracker and a segmenter by name: register your own")
        self._options, self._pair, self._segmenter = options, segmenter.pair, segmenter
        self._reading = options.reading(source)
        self._context = sink_context(source, options.background)
        self._size, self._name = source.size, source.name
        self._ways: ObjectWays | None = None
        self._scale = Reduction(source.size, options.longest_side)
        first = options.part.start if isinstance(options.part.start, int) else None
        self.direction = object_direction(options.direction, options.prompts, source, first)
        self.device, self.weights = self._pair.device, self._pair.weights()
        self.command = self._command()

    @property
    def prompts(self) -> Sequence[Prompt]:
        """What is followed."""
        return self._options.prompts

    @classmethod
    def load(
        cls,
        options: RunOptions,
        source: FrameSource,
        listener: RunListener,
        ready: Ready,
        build: Load = VideoSegmenter.of,
    ) -> ObjectJob:
        """Load the networks for an open source, and make everything that depends on it.

        Args:
            options: what to read, follow and write.
            source: where the frames come from.
            listener: is told what is loaded.
            ready: is called before, with what is to be loaded.
            build: loads it.

        Raises:
            UsageError: if a name is unknown, or the device cannot be used.
            PromptError: if a prompt does not fit the frames.
            WeightsError: if weights cannot be had, or are those of another network.
        """
        # What is wrong with names and prompts should not wait for networks.
        pair = streaming_pair(options.method)
        # Only to check the names: nothing is opened before `start`.
        create_sinks(options.save, options.out)
        check_whole(options.prompts, _frames(options, source))
        # Cut to the picture once, with one warning; from here on every box fits.
        options = replace(options, prompts=fitted_prompts(options.prompts, source.size))
        options.check_frames(
            [(prompt.frame, f"the prompt of {prompt.where}") for prompt in options.prompts]
        )
        ready(pair.parts)
        listener.message(f"{pair}; {_followed(options.prompts)}")
        segmenter = build(pair)
        refuse_endless(segmenter.tracker, source)
        return cls(options, source, segmenter)

    def asking(self, prompts: Sequence[Prompt]) -> ObjectJob:
        """Return the same job with other prompts; the networks are shared.

        Raises:
            PromptError: if one does not fit the frames.
        """
        # Shallow: networks are shared, and everything that is changed below is replaced, not
        # altered.
        other = copy(self)
        other._options = replace(self._options, prompts=fitted_prompts(prompts, self._size))
        other.command = other._command()
        return other

    def _command(self) -> Mapping[str, Json]:
        options = self._options
        return {
            **self._reading,
            "direction": self.direction,
            "prompts": prompts_to_json(options.prompts),
            # Order does not matter to the results, so it must not make another run.
            "save": sorted(options.save),
            "background": list(options.background),
            **self._pair.identity(),
        }

    def ways(self) -> ObjectWays:
        """Begin the video."""
        self._ways = self._segmenter.ways(self._options.prompts, self.direction, self._scale)
        return self._ways

    def sinks(self) -> Mapping[str, Sink]:
        """Make what takes the results."""
        # Of the prompts as they are now: the page may have been told other names.
        context = replace(self._context, names=object_names(self._options.prompts))
        return create_sinks(self._options.save, self._options.out, context)

    def facts(self) -> dict[str, Json]:
        """Return the name and size of the video."""
        names = object_names(self._options.prompts)
        return {
            "video": str(self._context.video_id),
            "size": list(self._size),
            "names": {str(key): name for key, name in names.items()},
        }

    def begin(self, folder: Path) -> None:
        """Write what is followed into the folder, to be replayed.

        Raises:
            OutputError: if it cannot be written.
        """
        save_prompts(
            folder / PROMPTS_FILE,
            self._options.prompts,
            frame_size=self._size,
            source=self._name,
        )

    def unused(self, last: int) -> list[str]:
        """Say which prompts belong to frames that never came, or were taken otherwise."""
        late = [
            f"the prompt of {prompt.where} was not used: the video ended before it"
            for prompt in merge_prompts(self._options.prompts)
            if prompt.frame > last
        ]
        return [*([] if self._ways is None else self._ways.notes()), *late]


def fitted_prompts(prompts: Sequence[Prompt], frame_size: tuple[int, int]) -> list[Prompt]:
    """Check that prompts go together; return them fitted to frames of (width, height) pixels.

    Raises:
        PromptError: if one does not.
    """
    object_names(prompts)
    merge_prompts(prompts)
    return [check_against_frame(prompt, frame_size) for prompt in prompts]


def _frames(options: RunOptions, source: FrameSource) -> int | None:
    """Return how many frames there are for prompts, if that is certain."""
    limit = options.max_frames
    # A look at the beginning may leave later prompts unused, but not all of them.
    if limit is not None and all(prompt.frame >= limit for prompt in options.prompts):
        return limit
    return source.frame_count if source.counted else None


def _followed(prompts: Sequence[Prompt]) -> str:
    objects = sorted({prompt.object_id for prompt in prompts})
    return f"object{'s' * (len(objects) > 1)} {', '.join(map(str, objects))}"


def streaming_pair(method: Method) -> Pair:
    """Return the parts of a method that is to stream.

    Raises:
        UsageError: if a name is unknown, or the preset reads clips again and again.
    """
    pair = method.resolve()
    if pair.restarts is not None:
        msg = (
            f"the preset {pair.preset} reads a clip again and again, which `eval davis` and "
            "`eval uvo` do; give --restart-every to get new points while streaming"
        )
        raise UsageError(msg)
    return pair


def sink_context(
    source: FrameSource, background: tuple[int, int, int] = (0, 255, 0)
) -> SinkContext:
    """Name masks after the pictures of an image folder, as evaluation tools expect."""
    context = SinkContext(
        Path(source.name).stem or source.name,
        background=background,
        pixel_aspect=pixel_aspect_of(source),
    )
    # Two pictures of one name, from two folders, would overwrite each other's masks.
    if isinstance(source, ImageSequence) and len(set(source.stems)) == len(source.stems):
        files = [path.name for path in source.paths]
        return replace(context, mask_stem=source.stems.__getitem__, picture_name=files.__getitem__)
    return context
