"""Published weights: where they are, how to know them, under which licence, whom to cite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rvsam_video.errors import unknown_name

# The one licence among these that forbids something; every run with such weights says so.
NON_COMMERCIAL = "CC-BY-NC-4.0"

_SAM_URL = "https://dl.fbaipublicfiles.com/segment_anything"
_SAM_CITATION = "Kirillov et al., Segment Anything, ICCV 2023, arXiv:2304.02643"

_V1_URL = "https://dl.fbaipublicfiles.com/cotracker"
_V2_URL = "https://huggingface.co/facebook/cotracker/resolve/main"
_V3_URL = "https://huggingface.co/facebook/cotracker3/resolve/main"
_TAPIR_URL = "https://storage.googleapis.com/dm-tapnet"
_TAPIR_CITATION = "Doersch et al., TAPIR, ICCV 2023, arXiv:2306.08637"
_BOOTSTAPIR_CITATION = (
    "Doersch et al., BootsTAP: Bootstrapped Training for Tracking-Any-Point, ACCV 2024, "
    "arXiv:2402.00847"
)
_V1_CITATION = "Karaev et al., CoTracker: It is Better to Track Together, arXiv:2307.07635"
_V3_CITATION = (
    "Karaev et al., CoTracker3: Simpler and Better Point Tracking by Pseudo-Labelling Real Videos, "
    "arXiv:2410.11831"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWeights:
    """Weights that someone published.

    Attributes:
        name: what users call it; the name of the segmenter or tracker that it is for.
        url: where its authors keep it.
        file_name: its name in the cache.
        licence: SPDX identifier of the licence of the weights.
        citation: whom to cite.
        size: bytes, or None where not known for certain.
        sha256: of the whole file, in hexadecimal, or None where nobody published it; then the hash
            of the first download is kept and later files are held against it.
        reported_sha256: the hash that others than the authors published of a file of this name. A
            file with another one is taken, and said to differ.
        md5: of the whole file, in hexadecimal, where that is all that was published; the first
            download must have it. It finds damage; it would not stop a forger.
        sha256_start: the first digits of the sha256, where those are all that was published; the
            first download must have them.
        part: what the network is.
    """

    name: str
    url: str
    file_name: str
    licence: str
    citation: str
    size: int | None = None
    sha256: str | None = None
    reported_sha256: str | None = None
    md5: str | None = None
    sha256_start: str = ""
    part: Literal["segmenter", "tracker", "saliency"] = "segmenter"

    @property
    def notice(self) -> str:
        """What users must be told of the licence; empty where it asks for nothing unusual."""
        if self.licence != NON_COMMERCIAL:
            return ""
        return f"the weights {self.name} are for non-commercial use only ({self.licence})"

    @property
    def option(self) -> str:
        """The option that takes a file of such weights on the command line."""
        return "--checkpoint" if self.part == "segmenter" else f"--{self.part}-checkpoint"


def _cotracker(
    name: str,
    url: str,
    citation: str,
    *,
    size: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
) -> PublishedWeights:
    """Return the entry of a CoTracker network.

    The licence is that of the repository facebookresearch/co-tracker, which states no other for the
    weights; its authors said so of version 3.
    """
    return PublishedWeights(
        name=name,
        url=url,
        file_name=url.rpartition("/")[2],
        licence=NON_COMMERCIAL,
        citation=citation,
        size=size,
        sha256=sha256,
        md5=md5,
        part="tracker",
    )


_SEGMENTERS = (
    PublishedWeights(
        name="repvit-sam",
        url="https://github.com/THU-MIG/RepViT/releases/download/v1.0/repvit_sam.pt",
        file_name="repvit_sam.pt",
        licence="Apache-2.0",
        citation="Wang et al., RepViT-SAM: Towards Real-Time Segmenting Anything, arXiv:2312.05760",
    ),
    PublishedWeights(
        name="mobile-sam",
        url="https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        file_name="mobile_sam.pt",
        licence="Apache-2.0",
        citation="Zhang et al., Faster Segment Anything, arXiv:2306.14289",
        size=40_728_226,
        sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    ),
    PublishedWeights(
        name="sam-vit-b",
        url=f"{_SAM_URL}/sam_vit_b_01ec64.pth",
        file_name="sam_vit_b_01ec64.pth",
        licence="Apache-2.0",
        citation=_SAM_CITATION,
        size=375_042_383,
        sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    PublishedWeights(
        name="sam-vit-l",
        url=f"{_SAM_URL}/sam_vit_l_0b3195.pth",
        file_name="sam_vit_l_0b3195.pth",
        licence="Apache-2.0",
        citation=_SAM_CITATION,
        size=1_249_524_607,
        sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    PublishedWeights(
        name="sam-vit-h",
        url=f"{_SAM_URL}/sam_vit_h_4b8939.pth",
        file_name="sam_vit_h_4b8939.pth",
        licence="Apache-2.0",
        citation=_SAM_CITATION,
        size=2_564_550_879,
        sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
)


def _tapir(name: str, path: str, citation: str, reported_sha256: str) -> PublishedWeights:
    """Return the entry of a TAPIR network.

    The licence is stated for all weights in the README of google-deepmind/tapnet, since 2026-07.
    Its authors publish no hashes; those given here were found in other people's repositories.
    """
    return PublishedWeights(
        name=name,
        url=f"{_TAPIR_URL}/{path}",
        file_name=path.rpartition("/")[2],
        licence="Apache-2.0",
        citation=citation,
        reported_sha256=reported_sha256,
        part="tracker",
    )


_TRACKERS = (
    _tapir(
        "tapir-online",
        "bootstap/causal_bootstapir_checkpoint.pt",
        _BOOTSTAPIR_CITATION,
        "87c1e752cf5ce56e3e2f7da460aeb4d40fc826d04ef2939bade86a5c7495377f",
    ),
    _tapir(
        "tapir-offline",
        "bootstap/bootstapir_checkpoint_v2.pt",
        _BOOTSTAPIR_CITATION,
        "8493c7a69e02c85b9382fbb3c7b8b539b36bc08ede744b9e99feb739a0129f4b",
    ),
    _tapir(
        "tapir-offline-baseline",
        "tapir_checkpoint_panning.pt",
        _TAPIR_CITATION,
        "628611c656b3bd65d4a70fbf5526b62afe82d1b085ce6044685287fb78509daa",
    ),
    _cotracker(
        "cotracker3-online",
        f"{_V3_URL}/scaled_online.pth",
        _V3_CITATION,
        size=101_695_610,
        sha256="205d34789f19699d64b22cf93f9b697f15f28d4025240e31532e504109837218",
    ),
    _cotracker(
        "cotracker3-offline",
        f"{_V3_URL}/scaled_offline.pth",
        _V3_CITATION,
        size=101_890_938,
        sha256="2670d4562ed69326dda775a26e54883925cd11b6fc9b24cb7aa9f8078bce7834",
    ),
    _cotracker(
        "cotracker3-online-baseline",
        f"{_V3_URL}/baseline_online.pth",
        _V3_CITATION,
        size=101_694_458,
        sha256="8b30b2f239de9987323b729d9115cc5163720a07348a97d045095cd9ebdb7b3a",
    ),
    _cotracker(
        "cotracker3-offline-baseline",
        f"{_V3_URL}/baseline_offline.pth",
        _V3_CITATION,
        size=101_889_786,
        sha256="da09bbac871f7398e5b29c4de5213652658949737bc158840b101678ba8ad1df",
    ),
    _cotracker(
        "cotracker2",
        f"{_V2_URL}/cotracker2.pth",
        _V1_CITATION,
        sha256="362f5274376d610dc987b6daf2c2fefe63e06e1835f4ec1a10d0a15c5a4eef4f",
    ),
    _cotracker("cotracker2.1", f"{_V2_URL}/cotracker2v1.pth", _V1_CITATION),
    # In circulation is also a Nix hash of the first file: of a folder around it, not of its bytes.
    _cotracker(
        "cotracker1",
        f"{_V1_URL}/cotracker_stride_4_wind_8.pth",
        _V1_CITATION,
        md5="82c458ad5de9bf98bc337c34ccbc436a",
    ),
    _cotracker(
        "cotracker1-wind12",
        f"{_V1_URL}/cotracker_stride_4_wind_12.pth",
        _V1_CITATION,
        md5="f13ab80f04b2cb58945e2dffb5a3a44c",
    ),
    _cotracker(
        "cotracker1-stride8",
        f"{_V1_URL}/cotracker_stride_8_wind_16.pth",
        _V1_CITATION,
        md5="d0d25fe323b20d11c447aaa05a923650",
    ),
)

_WIDE_RESNET = "Zagoruyko and Komodakis, Wide Residual Networks, BMVC 2016, arXiv:1605.07146"

# Of both only the digits in their names are published: the first ones of the sha256.
_SALIENCY = (
    PublishedWeights(
        name="wide-resnet50-racm",
        url="https://github.com/huggingface/pytorch-image-models/releases/download/"
        "v0.1-weights/wide_resnet50_racm-8234f177.pth",
        file_name="wide_resnet50_racm-8234f177.pth",
        licence="Apache-2.0",
        citation=_WIDE_RESNET,
        sha256_start="8234f177",
        part="saliency",
    ),
    PublishedWeights(
        name="wide-resnet50-torchvision",
        url="https://download.pytorch.org/models/wide_resnet50_2-95faca4d.pth",
        file_name="wide_resnet50_2-95faca4d.pth",
        licence="BSD-3-Clause",
        citation=_WIDE_RESNET,
        sha256_start="95faca4d",
        part="saliency",
    ),
)

PUBLISHED: dict[str, PublishedWeights] = {
    entry.name: entry for entry in (*_SEGMENTERS, *_TRACKERS, *_SALIENCY)
}
"""All weights that can be fetched, by name."""


def find_weights(name: str) -> PublishedWeights:
    """Return the entry of this name.

    Raises:
        UsageError: if there is none.
    """
    if name not in PUBLISHED:
        raise unknown_name("set of weights", name, PUBLISHED)
    return PUBLISHED[name]
