"""Change one operator at a time in the core and count how many changes the tests notice.

Run it as `python -m benchmarks.mutants --room points` in a clean clone; it needs `pip install
cosmic-ray`, which makes the changes and runs the tests. A change that no test notices ("survived")
is either a hole in the tests or makes no difference: look at each, they are printed as diffs.

Three kinds of changes are left out, since they say nothing: those in annotations (never evaluated),
in decorators (slots and caches are for speed), and in the words of errors. Of the eleven other
operators that could replace one operator, one is drawn; of what is left, `--most` are drawn. Both
draws are seeded, so that two runs are about the same changes.
"""

from __future__ import annotations

import argparse
import ast
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

# Which tests are asked about a room: its own, first the quick ones.
ROOMS = {
    "points": ("rvsam_video/points", "tests/points tests/streaming"),
    "streaming": ("rvsam_video/streaming", "tests/streaming tests/points"),
    "prompts": ("rvsam_video/prompts", "tests/prompts"),
    "lucas_kanade": ("trackers/lucas_kanade", "tests/trackers/lucas_kanade"),
    "grabcut": ("segmenters/grabcut", "tests/segmenters/grabcut"),
}
CONFIGURATION = """
[cosmic-ray]
module-path = ["{source}"]
timeout = 300.0
excluded-modules = []
test-command = "{python} -m pytest -q -x -n 0 -p no:cacheprovider {tests}"
[cosmic-ray.distributor]
name = "local"
"""


def silent_places(path: Path) -> list[tuple[int, int]]:
    """Return the first and last lines of what a change says nothing about."""
    lines = []
    for node in ast.walk(ast.parse(path.read_text())):
        for part in _silent_parts(node):
            lines.append((part.lineno, part.end_lineno or part.lineno))
    return lines


def _silent_parts(node: ast.AST) -> Iterator[ast.expr | ast.stmt]:
    if isinstance(node, ast.Raise) or (isinstance(node, ast.AnnAssign) and node.value is None):
        yield node
    elif isinstance(node, ast.arg) and node.annotation is not None:
        yield node.annotation
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield from node.decorator_list
        if isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns


def draw(session: Path, most: int, seed: int) -> int:
    """Leave `most` changes in a session of cosmic-ray, one a place and kind; return how many."""
    rng = random.Random(seed)  # noqa: S311
    silent: dict[str, list[tuple[int, int]]] = {}
    places: dict[tuple[object, ...], list[str]] = defaultdict(list)
    with sqlite3.connect(session) as table:
        rows = table.execute(
            "select job_id, module_path, operator_name, start_pos_row, start_pos_col"
            " from mutation_specs order by module_path, start_pos_row, start_pos_col, operator_name"
        ).fetchall()
        for job, module, operator, row, column in rows:
            if module not in silent:
                silent[module] = silent_places(Path(module))
            if not any(first <= row <= last for first, last in silent[module]):
                kind = operator.split("/")[-1].split("_")[0]
                places[module, kind, row, column].append(job)
        kept = [rng.choice(jobs) for jobs in places.values()]
        kept = rng.sample(kept, min(most, len(kept)))
        dropped = {(row[0],) for row in rows} - {(job,) for job in kept}
        for name in ("mutation_specs", "work_items"):
            table.executemany(f"delete from {name} where job_id = ?", dropped)  # noqa: S608
    return len(kept)


def report(session: Path, room: str) -> None:
    """Print how many changes were noticed, and those that were not."""
    with sqlite3.connect(session) as table:
        rows = table.execute(
            "select s.module_path, s.start_pos_row, s.operator_name, r.test_outcome, r.diff"
            " from work_results r join mutation_specs s on r.job_id = s.job_id"
            " order by s.module_path, s.start_pos_row"
        ).fetchall()
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for module, row, operator, outcome, diff in rows:
        survived = "SURVIVED" in str(outcome).upper()
        counts[module][0] += 1
        counts[module][1] += int(survived)
        if survived:
            changed = [line for line in diff.splitlines() if line[:1] in "+-"][2:]
            print(f"survived: {module}:{row} {operator}", *changed, sep="\n    ")
    for module, (made, alive) in counts.items():
        print(f"{module}: {made} made, {made - alive} killed, {alive} survived")
    made, alive = len(rows), sum(item[1] for item in counts.values())
    share = 100 * (made - alive) / max(made, 1)
    print(f"{room}: {made} made, {made - alive} killed ({share:.0f} %), {alive} survived")


def main() -> None:
    """Change one room and run its tests on each change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--room", choices=ROOMS, required=True)
    parser.add_argument("--most", type=int, default=80, help="changes to draw (default: 80)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    source, tests = ROOMS[args.room]
    with tempfile.TemporaryDirectory() as folder:
        configuration, session = Path(folder, "room.toml"), Path(folder, "room.sqlite")
        text = CONFIGURATION.format(source=source, python=sys.executable, tests=tests)
        configuration.write_text(text)
        tool = [sys.executable, "-m", "cosmic_ray.cli"]
        subprocess.run([*tool, "init", configuration, session], check=True)
        draw(session, args.most, args.seed)
        subprocess.run([*tool, "exec", configuration, session], check=True)
        report(session, args.room)


if __name__ == "__main__":
    main()
