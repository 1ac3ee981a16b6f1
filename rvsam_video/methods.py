"""Methods: which tracker and segmenter run, made from names into parts in this one place.

Python, every command, the page and every evaluation choose by the same rule. A `Method` is what
somebody asked for; `resolve` makes it a `Pair` in which nothing is left open: all names and
settings are checked, and nothing is loaded yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from rvsam_video.json_values import Json
from rvsam_video.part_settings import Words, changed
from rvsam_video.presets import Preset, find_preset
from rvsam_video.segmenters import SEGMENTERS, Segmenter, create_segmenter, features_installed
from rvsam_video.settings import RestartVariant, SegmentationSettings
from rvsam_video.trackers import TRACKERS, ClipTracker, PointTracker, create_tracker
from rvsam_video.trackers.clips import as_sam_pt, clip_tracker
from rvsam_video.weights.fetch import PUBLISHED, cached_file, describe_weights

AUTO = "auto"
"""Takes the best part whose weights are on this machine, else the one that needs none."""

PLAIN_TRACKER, PLAIN_SEGMENTER = "lucas-kanade", "grabcut"
"""What needs no weights."""

LEARNED_TRACKERS = ("tapir-online", "cotracker3-online")
"""Trackers that `AUTO` looks for, in this order. By its published numbers the second is the more
exact one (average Jaccard on TAP-Vid-DAVIS 63.8 against 59.7); but its weights are for
non-commercial use only, and it answers up to 15 frames late."""

TRACKER_OF_FILE = "cotracker3-online"
"""What a file of weights is taken for if nobody says which tracker it is for. Not TAPIR: its online
and offline weights look the same, and the wrong one would track wrongly without a word."""

LEARNED_SEGMENTERS = ("repvit-sam",)
"""Likewise. `AUTO` never downloads: nobody asked for those megabytes."""

FEATURES_SEGMENTER = "grabcut+"
"""What takes the plain segmenter's place where the extra `features` is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Which parts are asked for.

    Attributes:
        preset: one of `rvsam_video.presets.PRESETS`: settings with the parts that they are meant
            for; None for none.
        tracker: registry name; "auto" takes that of the preset, else the best that is here.
        segmenter: registry name; "auto" likewise.
        tracker_checkpoint: a file of weights for the tracker, instead of the published ones.
        checkpoint: a file of weights for the segmenter, instead of the published ones.
        tracker_options: settings of the tracker that differ from its defaults, as words.
        segmenter_options: settings of the segmenter that differ from its defaults, as words.
        device: "auto", or a PyTorch device; for networks.
        backend: what runs networks: "torch", "onnxruntime" or "openvino".
        settings: constants of the engine; None takes those of the preset, else the defaults.
    """

    preset: str | None = None
    tracker: str = AUTO
    segmenter: str = AUTO
    tracker_checkpoint: Path | None = None
    checkpoint: Path | None = None
    tracker_options: Words = ()
    segmenter_options: Words = ()
    device: str = "auto"
    backend: str = "torch"
    settings: SegmentationSettings | None = None

    def resolve(self) -> Pair:
        """Choose what was left open, and check all names and settings.

        Raises:
            UsageError: if a name is unknown, or a setting makes no sense.
        """
        preset = self._preset()
        tracker, segmenter = self._tracker(preset), self._segmenter(preset)
        settings = self.settings or (SegmentationSettings() if preset is None else preset.settings)
        limit = 0.0 if preset is None else preset.settings.score_threshold
        if settings.score_threshold == limit and not segmenter.network:
            # Presets drop masks by SAM's own estimate of their IoU; others have other scales.
            settings = replace(settings, score_threshold=0.0)
        # A device and a backend are for networks, and a part that has no use for one is not asked,
        # unless there is no other part that has.
        runs = TRACKERS.find(tracker.name).exports is not None, segmenter.network
        if runs[0] != runs[1]:
            tracker, segmenter = (
                part if able else replace(part, backend="torch")
                for part, able in zip((tracker, segmenter), runs, strict=True)
            )
        if tracker.on_torch != segmenter.on_torch:
            tracker, segmenter = (
                part if part.on_torch else replace(part, device="auto")
                for part in (tracker, segmenter)
            )
        return Pair(
            preset=self.preset,
            tracker=tracker,
            segmenter=segmenter,
            settings=settings,
            longest_side=None if preset is None else preset.longest_side,
            restarts=None if preset is None else preset.restarts,
        )

    def resolve_tracker(self, *, evaluation: bool = False) -> Part:
        """Choose the tracker alone, as for following points.

        Args:
            evaluation: with those settings of its public evaluation that nothing else is said of.

        Raises:
            UsageError: as `resolve`.
        """
        part = self._tracker(self._preset())
        if not evaluation:
            return part
        entry = TRACKERS.find(part.name)
        words = tuple({**dict(entry.evaluation), **dict(self.tracker_options)}.items())
        return replace(part, words=words, settings=changed(entry.settings, words, part.name))

    def resolve_segmenter(self) -> Part:
        """Choose the segmenter alone.

        Raises:
            UsageError: as `resolve`.
        """
        return self._segmenter(self._preset())

    def _preset(self) -> Preset | None:
        return None if self.preset is None else find_preset(self.preset)

    def _tracker_name(self, preset: Preset | None) -> str:
        if self.tracker != AUTO or preset is None:
            if self.tracker == AUTO and self.tracker_checkpoint is not None:
                return TRACKER_OF_FILE
            return _chosen(self.tracker, LEARNED_TRACKERS, PLAIN_TRACKER)
        return preset.tracker

    def _segmenter_name(self, preset: Preset | None) -> str:
        if self.segmenter != AUTO or preset is None:
            if self.segmenter == AUTO and self.checkpoint is not None:
                return LEARNED_SEGMENTERS[0]
            # With the extra `features`, clicks are understood better and nothing else changes.
            plain = FEATURES_SEGMENTER if features_installed() else PLAIN_SEGMENTER
            return _chosen(self.segmenter, LEARNED_SEGMENTERS, plain)
        return preset.segmenter

    def _tracker(self, preset: Preset | None) -> Part:
        name = self._tracker_name(preset)
        entry = TRACKERS.find(name)
        return Part(
            kind="tracker",
            name=name,
            network=entry.network,
            checkpoint=self.tracker_checkpoint,
            words=self.tracker_options,
            settings=changed(entry.settings, self.tracker_options, name),
            # A device is for networks: a part without one is not asked.
            device=self.device if entry.network else "auto",
            backend=self.backend,
            instead_of=self._tracker_not_taken(name, preset),
        )

    def _tracker_not_taken(self, name: str, preset: Preset | None) -> str | None:
        if self.tracker != AUTO or preset is not None or self.tracker_checkpoint is not None:
            return None
        others = [other for other in LEARNED_TRACKERS if other != name and weights_are_here(other)]
        return others[0] if others else None

    def _segmenter(self, preset: Preset | None) -> Part:
        name = self._segmenter_name(preset)
        entry = SEGMENTERS.find(name)
        return Part(
            kind="segmenter",
            name=name,
            network=entry.network,
            checkpoint=self.checkpoint,
            words=self.segmenter_options,
            settings=changed(entry.settings, self.segmenter_options, name),
            # A device is for networks: a part without one is not asked.
            device=self.device if entry.network else "auto",
            backend=self.backend,
        )


def _chosen(name: str, learned: Sequence[str], plain: str) -> str:
    if name != AUTO:
        return name
    return next((item for item in learned if weights_are_here(item)), plain)


def weights_are_here(name: str) -> bool:
    """Whether the published weights of this name are in the cache."""
    return cached_file(PUBLISHED[name]).is_file()


@dataclass(frozen=True, kw_only=True)
class Part:
    """A tracker or a segmenter in which everything is chosen; nothing is loaded yet.

    Attributes:
        kind: "tracker" or "segmenter".
        name: registry name.
        network: whether it has weights and runs on a device.
        checkpoint: a file of weights, instead of the published ones.
        words: settings that differ from its defaults.
        settings: all of its settings; None if it has none.
        device: "auto", or a PyTorch device.
        backend: what runs its network.
        instead_of: another one whose weights are here as well, which was left open and not taken.
    """

    kind: str
    name: str
    network: bool
    checkpoint: Path | None = None
    words: Words = ()
    settings: object = None
    device: str = "auto"
    backend: str = "torch"
    instead_of: str | None = None

    @property
    def missing(self) -> bool:
        """Whether published weights have to be fetched first."""
        wanted = self.network and self.checkpoint is None and self.name in PUBLISHED
        return wanted and not weights_are_here(self.name)

    @property
    def on_torch(self) -> bool:
        """Whether PyTorch runs it, which can use other devices."""
        return self.network and self.backend == "torch"

    @cached_property
    def place(self) -> str:
        """The device that it runs on, "auto" made definite.

        Raises:
            UsageError: if there is no such device.
        """
        if not self.network:
            return "cpu"
        if self.backend != "torch":
            from rvsam_video.export.runtimes import check_on_cpu

            check_on_cpu(self.device, self.backend)
            return "cpu"
        from rvsam_video.weights.devices import choose_device

        return str(choose_device(self.device))

    @cached_property
    def weights(self) -> dict[str, str]:
        """File, sha256, licence and citation of its weights; empty if it has none.

        Raises:
            WeightsError: if the file is not there.
        """
        return describe_weights(self.name, self.checkpoint) if self.network else {}

    def load_tracker(self) -> PointTracker:
        """Build the tracker; raises as `create_tracker`."""
        device = self.place if self.network else self.device
        return create_tracker(self.name, self.checkpoint, device, self.settings, self.backend)

    def load_segmenter(self) -> Segmenter:
        """Build the segmenter; raises as `create_segmenter`."""
        device = self.place if self.network else self.device
        return create_segmenter(self.name, self.checkpoint, device, self.backend, self.settings)

    def identity(self) -> dict[str, Json]:
        """Return all of it that decides results.

        Raises:
            WeightsError: if a file of weights is not there.
        """
        found: dict[str, Json] = {self.kind: self.name}
        if self.words:
            found[f"{self.kind}_options"] = dict(self.words)
        prefix = "tracker_" if self.kind == "tracker" else ""
        return found | {f"{prefix}weights": self.weights.get("sha256")}

    def __str__(self) -> str:
        """Say its name, and under which licence its weights are."""
        if not self.network:
            return self.name
        if self.checkpoint is not None:
            return f"{self.name} from {self.checkpoint}"
        entry = PUBLISHED.get(self.name)
        if entry is None:
            return self.name
        known = entry.licence
        if self.instead_of is not None:
            known += f", instead of {self.instead_of}, {PUBLISHED[self.instead_of].licence}"
        return f"{self.name} ({known})"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A tracker and a segmenter in which everything is chosen; nothing is loaded yet.

    Attributes:
        preset: name of the preset they are from, or None.
        tracker: the one.
        segmenter: the other.
        settings: constants of the engine.
        longest_side: pixels of the longest side that whole clips are worked on; None streams.
        restarts: how whole clips are restarted from predicted masks; None not at all.
    """

    preset: str | None
    tracker: Part
    segmenter: Part
    settings: SegmentationSettings = field(default_factory=SegmentationSettings)
    longest_side: int | None = None
    restarts: RestartVariant | None = None

    @property
    def parts(self) -> tuple[Part, Part]:
        """Both."""
        return self.tracker, self.segmenter

    @property
    def device(self) -> str:
        """What PyTorch runs networks on; the CPU if it runs none."""
        learned = [part.place for part in reversed(self.parts) if part.on_torch]
        return learned[0] if learned else "cpu"

    @property
    def backend(self) -> str:
        """What was asked to run networks."""
        asked = [part.backend for part in self.parts if part.backend != "torch"]
        return asked[0] if asked else "torch"

    def weights(self) -> dict[str, Mapping[str, str]]:
        """Return file, hash and licence of the weights of both, for `run.json`.

        Raises:
            WeightsError: if a file is not there.
        """
        return {"weights": self.segmenter.weights, "tracker_weights": self.tracker.weights}

    def load(self) -> tuple[PointTracker, Segmenter]:
        """Build both.

        Raises:
            UsageError: if there is no such device or backend.
            WeightsError: if weights cannot be had, or are those of another network.
        """
        # The segmenter first: it is the larger one, and what is wrong with it should show early.
        segmenter, tracker = self.segmenter.load_segmenter(), self.tracker.load_tracker()
        return as_sam_pt(tracker) if self.settings.sam_pt_exact else tracker, segmenter

    def load_clip_tracker(self) -> ClipTracker:
        """Build the tracker for whole clips; raises as `load`."""
        return clip_tracker(self.tracker.load_tracker())

    def identity(self) -> dict[str, Json]:
        """Return all of it that decides results; the same for two runs that give the same.

        Raises:
            WeightsError: if a file of weights is not there.
        """
        return {
            "preset": self.preset,
            **self.tracker.identity(),
            **self.segmenter.identity(),
            "device": self.device,
            "backend": self.backend,
            "settings": self.settings.to_dict(),
        }

    def __str__(self) -> str:
        """Say in one short line what runs, where, and under which licences."""
        return announced(*self.parts)


def announced(*parts: Part) -> str:
    """Return the line that says what runs, where, and under which licences.

    Args:
        parts: trackers and segmenters.
    """
    named = ", ".join(f"{part.kind} {part}" for part in parts)
    places = {part.kind: _where(part) for part in parts if part.network}
    if not places:
        return f"{named} (no weights)"
    if len(set(places.values())) == 1:
        return f"{named}, on {next(iter(places.values()))}"
    return f"{named}; " + ", ".join(f"the {kind} on {place}" for kind, place in places.items())


def _where(part: Part) -> str:
    return part.place + ("" if part.backend == "torch" else f" by {part.backend}")
