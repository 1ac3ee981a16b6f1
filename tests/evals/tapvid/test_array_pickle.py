"""Pickles of arrays: all that NumPy writes is read, and nothing else is run."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rvsam_video.errors import SourceError
from rvsam_video.evals.tapvid.array_pickle import load_array_pickle

numbers = hnp.boolean_dtypes() | hnp.integer_dtypes() | hnp.floating_dtypes(sizes=(32, 64))
arrays = hnp.arrays(numbers, hnp.array_shapes(min_dims=0, min_side=0, max_side=3))
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=4) | st.binary(max_size=4)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("pickles") / "file.pkl"


def equal(first, second):
    if isinstance(first, np.ndarray):
        same = first.dtype == second.dtype and first.shape == second.shape
        return same and np.array_equal(first, second, equal_nan=first.dtype.kind == "f")
    return first == second and type(first) is type(second)


@given(st.lists(arrays | plain, max_size=4), st.booleans(), st.integers(0, 5))
@settings(max_examples=60)
def test_arrays_and_plain_values_come_back(path, content, fortran, protocol):
    if fortran:
        content = [np.asfortranarray(it) if isinstance(it, np.ndarray) else it for it in content]
    path.write_bytes(pickle.dumps({"a": content, "b": tuple(content)}, protocol))
    loaded = load_array_pickle(path)
    for found in (loaded["a"], list(loaded["b"])):
        assert all(equal(first, second) for first, second in zip(content, found, strict=True))


def test_pickles_of_older_numpy_are_read(path):
    content = {"points": np.arange(6, dtype=">f4").reshape(2, 3)}
    for protocol in range(6):
        text = pickle.dumps(content, protocol)
        # NumPy 2 renamed the module; lengths of names stand before them from protocol 4 on.
        old = text.replace(b"numpy._core.", b"numpy.core.")
        for name in ("multiarray", "numeric"):
            new_name, old_name = f"numpy._core.{name}".encode(), f"numpy.core.{name}".encode()
            lengths = [struct.pack("B", len(it)) for it in (new_name, old_name)]
            old = old.replace(lengths[0] + old_name, lengths[1] + old_name)
        path.write_bytes(_unframed(old))
        assert equal(load_array_pickle(path)["points"], content["points"])


def _unframed(text):
    """Drop the frames of a pickle, whose lengths no longer fit."""
    at = text.find(b"\x95")
    return text if at != 2 else text[:2] + text[11:]


class Call:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "attack",
    [
        lambda mark: Call(os.system, f"touch {mark}"),
        lambda mark: Call(eval, f"open({str(mark)!r}, 'w')"),
        lambda mark: Call(Path.touch, mark),
        lambda mark: [np.zeros(2), {"video": Call(exec, f"open({str(mark)!r}, 'w')")}],
        lambda mark: np.array([Call(os.system, f"touch {mark}")], object),
    ],
)
def test_programs_are_refused_and_not_run(attack, protocol, path, tmp_path):
    mark = tmp_path / "ran"
    path.write_bytes(pickle.dumps(attack(mark), protocol))
    with pytest.raises(SourceError, match="was not loaded: it "):
        load_array_pickle(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cposix\nsystem\n.",
        b"cbuiltins\ngetattr\n.",
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\nfromfile\n.",
        # Stand-ins themselves are no result, and take no attributes.
        b"cnumpy\ndtype\n.",
        b"cnumpy\ndtype\n}S'__call__'\nI1\nsb.",
        b"cnumpy\ndtype\n(N}S'x'\nI1\nstb.",
        b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.",
        b"cbuiltins\nbytes\n(I99999999999\ntR.",
        b"cbuiltins\nbytearray\n(I99999999999\ntR.",
        b"cnumpy\ndtype\n(S'O'\ntR.",
        b"S'name'\nQ.",
        b"Pname\n.",
        b"\x80\x02\x82\x01.",
        b"(lp0\ng0\na.",
    ],
)
def test_programs_written_by_hand_are_refused(program, path):
    path.write_bytes(program)
    with pytest.raises(SourceError):
        load_array_pickle(path)


@pytest.mark.parametrize(
    "state",
    [
        (1, (4,), "f8", False, b"\0" * 8),
        (1, (-1,), "f8", False, b"\0" * 8),
        (1, (2**62, 4), "f8", False, b""),
        (1, [1], "f8", False, b"\0" * 8),
        (1, (1,), "f8", False, "text"),
        (1, (1,), "O8", False, b"\0" * 8),
        (1, (1,), "V8", False, b"\0" * 8),
        (1, (1,), "f8,f8", False, b"\0" * 16),
        (1, (1,), "f999", False, b"\0" * 999),
        (1, (1,)),
    ],
)
def test_arrays_that_lie_about_themselves_are_refused(state, path):
    made = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    parts = []
    for part in state:
        if isinstance(part, str) and len(state) == 5 and part != "text":
            parts.append(b"cnumpy\ndtype\n(S'" + part.encode() + b"'\nI0\nI1\ntR")
        else:
            parts.append(_opcodes(part))
    path.write_bytes(b"\x80\x03" + made + b"(" + b"".join(parts) + b"tb.")
    with pytest.raises(SourceError, match="was not loaded: it holds an array"):
        load_array_pickle(path)


def _opcodes(value):
    """Return what puts a plain value on the stack."""
    body = pickle.dumps(value, 3)[2:-1]
    puts = [
        (at, op) for op, _, at in pickletools.genops(pickle.dumps(value, 3)) if "PUT" in op.name
    ]
    for at, _ in reversed(puts):
        body = body[: at - 2] + body[at:]
    return body


def test_lists_named_over_and_over_take_no_memory(path):
    content = ["x"]
    for _ in range(60):
        content = [content, content]
    path.write_bytes(pickle.dumps(content))
    loaded = load_array_pickle(path)
    assert loaded[0] is loaded[1]


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(path, content):
    path.write_bytes(content)
    try:
        load_array_pickle(path)
    except SourceError as error:
        assert str(path) in str(error)  # noqa: PT017


def test_every_cut_is_refused(path):
    whole = pickle.dumps({"points": np.arange(6.0), "name": "clip"})
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(SourceError, match="damaged"):
            load_array_pickle(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"none\.pkl cannot be read: No such file"):
        load_array_pickle(tmp_path / "none.pkl")


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x02Nr\xff\xff\xff\x7f.",
        b"\x80\x02Nr\x00\x00\x00\x10.",
        b"Np99999999\n.",
        b"\x80\x04\x8e\x00\x00\x00\x00\x01\x00\x00\x00.",
        b"\x80\x04B\xff\xff\xff\xff.",
        b"\x80\x04\x8d\x00\x00\x00\x00\x01\x00\x00\x00.",
        b"\x80\x05\x96\x00\x00\x00\x00\x01\x00\x00\x00.",
        b"\x80\x04\x95\x00\x00\x00\x00\x01\x00\x00\x00N.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
    ],
)
def test_a_few_bytes_cannot_ask_for_gigabytes(program, path):
    path.write_bytes(program)
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from rvsam_video.errors import SourceError\n"
        "from rvsam_video.evals.tapvid.array_pickle import load_array_pickle\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        # Address space, not only what is touched: memory that is asked for counts.
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, used + 50_000_000))\n"
        "try: load_array_pickle(Path(sys.argv[1]))\n"
        "except SourceError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert "was not loaded" in done.stdout or "is damaged" in done.stdout
    # It was seen from the file, and not by running out of memory.
    assert "more memory" not in done.stdout


def test_one_text_made_bytes_over_and_over_is_refused(path):
    once = b"c_codecs\nencode\nq\x00(X" + struct.pack("<I", 1000) + b"a" * 1000 + b"q\x01tR0"
    path.write_bytes(b"\x80\x02" + once + b"h\x00(h\x01tR0" * 50 + b"N.")
    with pytest.raises(SourceError, match="more bytes than it holds"):
        load_array_pickle(path)
