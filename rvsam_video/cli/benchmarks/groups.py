"""`rvsam-video eval` and `rvsam-video score`: the groups of the commands of benchmarks."""

from __future__ import annotations

import click

from rvsam_video.cli.group import Later, LazyGroup


def _here(module: str, about: str) -> Later:
    return Later(f"rvsam_video.cli.benchmarks.{module}", about)


def _images(module: str, about: str) -> Later:
    return _here(f"images.{module}", about)


_EVAL = {
    "anomaly": _images("eval_anomaly", "Anomalies on MVTec-AD from proposed boxes (SAA+)."),
    "davis": _here("eval_davis", "DAVIS 2016 or 2017 from the first masks."),
    "edges": _images("eval_edges", "Edges of pictures on BSDS500."),
    "instances": _images("eval_instances", "Masks from a detector's boxes on COCO."),
    "salient": _images("eval_salient", "The best mask of everything on DUTS-TE."),
    "seginw": _images("eval_seginw", "The same on the 25 sets of SegInW."),
    "tapvid": _here("eval_tapvid", "Point trackers on TAP-Vid, at 256x256."),
    "uvo": _here("eval_uvo", "Everything in UVO, found and followed."),
    "vot": _here("eval_vot", "Points for the VOT toolkit, in a folder it makes."),
}
_SCORE = {
    "anomaly": _images("score_anomaly", "Max-F1-pixel of maps of anomalies on MVTec-AD."),
    "compare": _here("score_compare", "Put the scores of several runs in a table."),
    "davis": _here("score_davis", "J and F of masks on DAVIS 2016 or 2017."),
    "edges": _images("score_edges", "ODS, OIS and AP of edges on BSDS500."),
    "instances": _images("score_instances", "AP of masks on COCO, by pycocotools."),
    "salient": _images("score_salient", "MAE, S, E and F of what stands out, on DUTS-TE."),
    "seginw": _images("score_seginw", "AP of masks on each of the 25 sets of SegInW."),
    "tapvid": _here("score_tapvid", "AJ, delta_avg, OA and AJ_RD of points on TAP-Vid."),
    "uvo": _here("score_uvo", "AP and AR of object tracks on UVO, YouTube-VIS."),
}


@click.command("eval", cls=LazyGroup, later=_EVAL)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def evaluate(debug: bool) -> None:
    """Run the tracker on a benchmark and score what comes out."""


@click.command("score", cls=LazyGroup, later=_SCORE)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def score(debug: bool) -> None:
    """Score results that are already there, made by any tool."""
