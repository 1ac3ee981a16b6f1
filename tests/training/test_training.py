"""Learning: that it works, and that it goes on exactly where it was stopped or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tiny_distillation
import torch
from PIL import Image
from tiny_distillation import RECIPE, TinyEncoder, make_job, make_store, train

from rvsam_video.errors import OutputError, RvsamError, SourceError, UsageError
from rvsam_video.training.batches import BatchPlan, hold_out, loader_of
from rvsam_video.training.recipe import find_recipe
from rvsam_video.training.run_folder import TrainingFolder, read_table
from rvsam_video.training.students import find_student
from rvsam_video.training.train import Readers, open_data
from rvsam_video.training.trainer import TrainingPace

TREE = Path(__file__).parents[2]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return TrainingFolder.look(out).chosen("last")["modules"]["student"]


def assert_same(one: Path, other: Path) -> None:
    assert_equal(weights(one), weights(other))
    for name in ("log.csv", "scores.csv"):
        # Speeds and memory are what they are.
        kept = [
            [(key, value) for key, value in row.items() if "second" not in key and key[0] != "m"
             and "waiting" not in key]
            for row in read_table(one / name)
        ]  # fmt: skip
        others = [
            [(key, value) for key, value in row.items() if "second" not in key and key[0] != "m"
             and "waiting" not in key]
            for row in read_table(other / name)
        ]  # fmt: skip
        assert kept == others


def assert_equal(one, other):
    assert list(one) == list(other)
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture(scope="module")
def whole(store, tmp_path_factory):
    """A training of 40 steps that nobody interrupts."""
    out = tmp_path_factory.mktemp("whole") / "run"
    # One thread, as the processes below: sums of other parts round otherwise.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    outcome, watch = train(make_job(store, out))
    torch.set_num_threads(threads)
    return out, outcome, watch


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_loss_falls_below_a_third(whole):
    out, outcome, watch = whole
    assert outcome.complete
    assert (outcome.step, outcome.pictures) == (40, 320)
    losses = [row["loss"] for row in watch.rows]
    assert len(losses) == 10
    assert losses[-1] < losses[0] / 3
    assert [row["loss"] for row in read_table(out / "log.csv")] == losses


def test_curves_are_drawn(whole):
    with Image.open(whole[0] / "curves.png") as picture:
        colours = np.unique(np.asarray(picture).reshape(-1, 3), axis=0)
    assert (colours == (31, 119, 180)).all(1).any()


def test_two_checkpoints_are_kept(whole):
    names = sorted(path.name for path in (whole[0] / "checkpoints").iterdir())
    assert names == ["step-00000038.pt", "step-00000040.pt"]


@pytest.mark.parametrize("stop_at", [1, 13, 38])
@pytest.mark.usefixtures("one_thread")
def test_going_on_gives_the_same_bits(store, tmp_path, whole, stop_at):
    outcome, _ = train(make_job(store, tmp_path / "run"), stop_at)
    assert (outcome.step, outcome.complete) == (stop_at, False)
    # Another student to begin with: all that counts must come from the checkpoint.
    other = replace(make_job(store, tmp_path / "run"), student=TinyEncoder())
    outcome, _ = train(other)
    assert outcome.step == 40
    assert_same(tmp_path / "run", whole[0])


def start(store, out, *more, processes=1):
    command = [str(TREE / "tests" / "support" / "tiny_distillation.py"), str(store), str(out)]
    several = ["-m", "torch.distributed.run", "--nproc-per-node", str(processes), "--standalone"]
    paths = [str(TREE), str(TREE / "tests" / "data"), os.environ.get("PYTHONPATH", "")]
    return subprocess.Popen(
        [sys.executable, *(several if processes > 1 else []), *command, *more],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_bits(store, tmp_path, whole):
    out = tmp_path / "run"
    process = start(store, out, "--slow")
    deadline = time.monotonic() + 200
    # Beyond a checkpoint, and between two.
    while not (out / "checkpoints" / "step-00000010.pt").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.12)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (out / "checkpoints" / "step-00000040.pt").exists()
    process = start(store, out)
    assert process.wait() == 0, process.stderr.read()
    assert_same(out, whole[0])


@pytest.mark.slow
def test_two_processes_are_as_one(store, tmp_path, whole):
    process = start(store, tmp_path / "run", processes=2)
    _, said = process.communicate(timeout=280)
    assert process.returncode == 0, said
    found, wanted = weights(tmp_path / "run"), weights(whole[0])
    for name, value in wanted.items():
        # By length: where a gradient is nearly 0, AdamW turns its rounding into a whole step.
        apart = (found[name] - value).norm() / value.norm()
        assert apart < 1e-4, name
    assert "BatchNorm" not in said


@pytest.mark.slow
def test_batch_norms_of_several_processors_are_warned_of(store, tmp_path):
    process = start(store, tmp_path / "run", "--norm", processes=2)
    _, said = process.communicate(timeout=280)
    assert process.returncode == 0, said
    assert said.count("BatchNorm statistics are of each process's own part") == 1


def test_a_damaged_last_checkpoint_is_passed_over(store, tmp_path, caplog):
    train(make_job(store, tmp_path / "run"), 13)
    last = tmp_path / "run" / "checkpoints" / "step-00000013.pt"
    last.write_bytes(last.read_bytes()[:-3000])
    assert TrainingFolder.look(tmp_path / "run").newest()["step"] == 12
    assert "trying the one before" in caplog.text
    for path in last.parent.iterdir():
        path.write_bytes(b"")
    with pytest.raises(OutputError, match=r"no checkpoint in .* can be read"):
        train(make_job(store, tmp_path / "run"))


def test_another_recipe_or_list_needs_another_folder(store, tmp_path):
    train(make_job(store, tmp_path / "run"), 2)
    other = replace(RECIPE, rate=2e-2)
    with pytest.raises(OutputError, match=r"recipe\.rate was 0\.01 and is now 0\.02"):
        train(make_job(store, tmp_path / "run", other))
    outcome, _ = train(make_job(store, tmp_path / "run", other, overwrite=True), 1)
    assert outcome.step == 1


def test_gradients_that_are_no_numbers_stop_the_training(store, tmp_path):
    job = make_job(store, tmp_path / "run")
    with torch.no_grad():
        job.student[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(RvsamError, match="no number in 1 steps in a row, the last of them step 0"):
        train(job)


def test_half_precision_learns_too(store, tmp_path):
    for precision in ("bfloat16", "float16"):
        recipe = replace(RECIPE, epochs=8, precision=precision)
        _, watch = train(make_job(store, tmp_path / precision, recipe))
        assert watch.rows[-1]["loss"] < watch.rows[0]["loss"] / 2


@pytest.mark.slow
def test_a_real_student_learns(store, tmp_path):
    entry = find_student("repvit-m0.6")
    recipe = replace(RECIPE, epochs=6, rate=2e-3)
    torch.manual_seed(0)
    _, watch = train(
        make_job(store, tmp_path / "run", recipe, student=entry.build(), pace=TrainingPace(log=2))
    )
    losses = [row["loss"] for row in watch.rows]
    assert all(later < earlier for earlier, later in pairwise(losses))
    assert losses[-1] < losses[0] / 2


def test_an_average_is_kept_and_scored_beside_the_weights(store, tmp_path):
    recipe = replace(RECIPE, epochs=10, average=0.9)
    data = open_data(store, recipe, scoring_store=store, held_out=4)
    job = make_job(store, tmp_path / "run", recipe, data=data)
    _, watch = train(job)
    state = TrainingFolder.look(tmp_path / "run").chosen("last")
    assert watch.scores[-1]["average_embedding_mse"] != watch.scores[-1]["embedding_mse"]
    own, average = state["modules"]["student"], state["average"]
    assert not torch.equal(own["0.weight"], average["0.weight"])
    # It follows: nearer to the end than to the beginning.
    torch.manual_seed(2)
    first = TinyEncoder().state_dict()["0.weight"]
    assert (average["0.weight"] - own["0.weight"]).norm() < (average["0.weight"] - first).norm()
    train(make_job(store, tmp_path / "other", recipe, data=data), 7)
    again = make_job(store, tmp_path / "other", recipe, data=data)
    train(again)
    assert_equal(TrainingFolder.look(tmp_path / "other").chosen("last")["average"], average)


def test_readers_in_other_processes_change_nothing(store, tmp_path):
    job = make_job(store, tmp_path / "a", replace(RECIPE, epochs=2))
    train(job)
    other = make_job(store, tmp_path / "b", job.recipe, readers=Readers(workers=2, prompts=0))
    train(other)
    assert_equal(weights(tmp_path / "a"), weights(tmp_path / "b"))


@pytest.mark.parametrize("train_decoder", [False, True])
def test_students_learn_from_masks(store, tmp_path, train_decoder):
    recipe = replace(
        find_recipe("masks"), epochs=2, batch=4, rate=1e-2, rate_batch=4, prompts=2, clip=1.0,
        train_decoder=train_decoder,
    )  # fmt: skip
    job = make_job(store, tmp_path / "run", recipe)
    before = {name: value.clone() for name, value in job.student.state_dict().items()}
    _, watch = train(job, 3)
    assert watch.rows == [] or watch.rows[-1]["loss"] > 0
    state = TrainingFolder.look(tmp_path / "run").chosen("last")
    assert not torch.equal(state["modules"]["student"]["0.weight"], before["0.weight"])
    assert ("decoder" in state["modules"]) is train_decoder
    if train_decoder:
        moved = state["modules"]["decoder"]["mask_decoder.mask_tokens.weight"]
        assert not torch.equal(moved, job.data.decoder["mask_decoder.mask_tokens.weight"])


def test_scores_of_the_teacher_itself_are_perfect(store, tmp_path):
    job = make_job(store, tmp_path / "run", replace(RECIPE, epochs=1, rate=1e-9))
    data = open_data(store, RECIPE, scoring_store=store, held_out=3)
    teacher = tiny_distillation.make_teacher().encoder
    job = replace(job, student=teacher, data=data, readers=Readers(workers=0, prompts=2))
    _, watch = train(job)
    (scores,) = watch.scores
    assert scores["embedding_mse"] < 1e-5
    assert scores["cosine"] > 0.9999
    assert scores["point_miou"] > 0.98
    assert scores["box_miou"] > 0.98
    assert np.isnan(scores["annotation_miou"])


def test_the_order_does_not_depend_on_the_number_of_processes():
    plan = BatchPlan(pictures=21, batch=4, epochs=3, seed=5)
    assert (plan.epoch_steps, plan.steps) == (5, 15)
    alone = [dict.fromkeys(pairs) for pairs in plan.part(0, 0, 1)]
    parts = [list(plan.part(0, rank, 2)) for rank in range(2)]
    assert [dict.fromkeys(sorted(one + two)) for one, two in zip(*parts, strict=True)] == [
        dict.fromkeys(sorted(pairs)) for pairs in alone
    ]
    assert [list(pairs) for pairs in alone[7:]] == list(plan.part(7, 0, 1))
    epochs = [[number for pairs in alone[n : n + 5] for number, _ in pairs] for n in (0, 5, 10)]
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


def test_held_out_pictures_are_never_learnt_from():
    learnt, held = hold_out(50, 200, seed=1)
    assert len(held) == 5
    assert sorted(learnt + held) == list(range(50))
    assert hold_out(50, 200, seed=2)[1] != held
    assert hold_out(50, 0, seed=1) == (list(range(50)), [])


def test_too_few_pictures_for_a_batch_are_refused():
    with pytest.raises(UsageError, match="3 pictures do not fill a batch of 8"):
        BatchPlan(3, 8, 1, 0)


def test_pictures_that_changed_or_went_away_are_named(pictures, tmp_path):
    folder = tiny_distillation.make_pictures(tmp_path / "pictures", 3)
    store = make_store(folder, tmp_path / "store")
    Image.new("RGB", (16, 128)).save(folder / "001.png")
    data = open_data(store, RECIPE, held_out=0).learning
    with pytest.raises(SourceError, match=r"001\.png is 16x128 pixels in its square, but was"):
        list(loader_of(data, iter([[(1, 0)]]), workers=0, pin=False))
    (folder / "001.png").unlink()
    with pytest.raises(SourceError, match=r"1 pictures of .* are not there, such as 001\.png"):
        open_data(store, RECIPE)
    assert len(open_data(store, RECIPE, images=[pictures], held_out=0).learning) == 3
