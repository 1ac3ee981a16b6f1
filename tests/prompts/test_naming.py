"""Objects are called by name on the command line, in prompt files, and everywhere later."""

from __future__ import annotations

import json

import pytest

from rvsam_video import Prompt, PromptError, load_prompts
from rvsam_video.prompts.files import save_prompts
from rvsam_video.prompts.naming import Naming
from rvsam_video.prompts.prompt import merge_prompts, object_names


@pytest.mark.parametrize(
    ("given", "words", "numbered", "names"),
    [
        ([], ["bee:320,240"], ["1:320,240"], {1: "bee"}),
        ([], ["bee:3,4 5,6", "wasp:1,2", "bee:7,8,0@3"], None, {1: "bee", 2: "wasp"}),
        ([], ["1:3,4", "bee:5,6"], ["1:3,4", "2:5,6"], {2: "bee"}),
        (["7=bee"], ["bee:5,6"], ["7:5,6"], {7: "bee"}),
        (["1=bee"], ["wasp:5,6", "1:3,4"], ["2:5,6", "1:3,4"], {1: "bee", 2: "wasp"}),
        ([], ["Bär-2.a:5,6"], ["1:5,6"], {1: "Bär-2.a"}),
        ([], ["C:/clicks.json", "clicks.json", "320,240"], None, {}),
        ([], ["bee:1,2 wasp:3,4"], ["1:1,2 2:3,4"], {1: "bee", 2: "wasp"}),
    ],
)
def test_names_stand_for_numbers(given, words, numbered, names):
    naming = Naming.of(given)
    found = naming.numbered(words)
    assert numbered is None or found == numbered
    assert naming.names == names


def test_a_file_of_that_name_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bee:mask.png").write_text("")
    assert Naming().numbered(["bee:mask.png"]) == ["bee:mask.png"]
    assert Naming().numbered(["bee:other.png"]) == ["1:other.png"]


@pytest.mark.parametrize("text", ["bee", "=bee", "x=bee", "0=bee", "256=bee", "1=", "1= ", "1=a\n"])
def test_names_that_are_not_understood_are_refused(text):
    with pytest.raises(PromptError):
        Naming.of([text])


def test_a_name_of_nothing_is_refused():
    prompts = [Prompt.create(points=[[1, 2]])]
    with pytest.raises(PromptError, match="object 2, but there is no prompt of it"):
        Naming.of(["2=bee"]).named(prompts)
    assert object_names(Naming.of(["1=bee"]).named(prompts)) == {1: "bee"}


def test_names_go_through_a_prompt_file(tmp_path):
    prompts = [
        Prompt.create(1, points=[[1, 2]], name="bee"),
        Prompt.create(2, 3, box=[1, 2, 3, 4], name="Bär \U0001f41d"),
        Prompt.create(3, points=[[1, 2]]),
    ]
    save_prompts(tmp_path / "p.json", prompts)
    assert object_names(load_prompts(tmp_path / "p.json")) == {1: "bee", 2: "Bär \U0001f41d"}
    entries = json.loads((tmp_path / "p.json").read_text())["prompts"]
    assert [entry.get("name") for entry in entries] == ["bee", "Bär \U0001f41d", None]


def test_one_object_has_one_name():
    first, second = (Prompt.create(1, points=[[1, 2]], name=name) for name in ("bee", "wasp"))
    plain = Prompt.create(1, points=[[3, 4]])
    assert [item.name for item in merge_prompts([plain, first])] == ["bee"]
    with pytest.raises(PromptError, match="object 1 is called 'bee' and 'wasp'; give it one name"):
        merge_prompts([first, second])
