"""Guides whose shell blocks are run, each answer held against the block that shows it."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# In a guide's answers: what differs from run to run.
ANY = "…"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "=== the next block ==="


@dataclass(frozen=True)
class Step:
    """A shell block and the answer that follows it, if any."""

    script: str
    answer: Any = None


def steps(guide: Path) -> Iterator[Step]:
    """The guide's shell blocks in order."""
    blocks = _BLOCK.findall(guide.read_text("utf-8"))
    for number, (kind, text) in enumerate(blocks):
        if kind != "sh":
            continue
        following = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
        if following[0] == "json":
            yield Step(text, json.loads(following[1]))
        elif following[0] == "text":
            yield Step(text, following[1])
        else:
            yield Step(text)


def code_block(guide: Path, kind: str) -> str:
    """The guide's only block of that language."""
    [text] = [text for found, text in _BLOCK.findall(guide.read_text("utf-8")) if found == kind]
    return text


def run_guide(guide: Path, environment: Mapping[str, str], timeout_s: float = 120.0) -> None:
    """Run all of it in one shell; AssertionError where an answer is not as shown."""
    todo = list(steps(guide))
    script = "set -eu\n" + f"\necho; echo '{_MARK}'\n".join(step.script for step in todo)
    done = subprocess.run(
        ["bash", "-c", script],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    said = done.stdout.split(f"\n{_MARK}\n")
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr}"
    assert len(said) == len(todo)
    wrong = [
        f"{step.script}{said}"
        for step, text in zip(todo, said, strict=True)
        for said in mismatches(step, text)
    ]
    assert not wrong, "\n".join(wrong)


def mismatches(step: Step, text: str) -> Iterator[str]:
    """Where what was said is not what the guide shows."""
    if isinstance(step.answer, str):
        if text.strip() != step.answer.strip():
            yield f"{step.answer!r} shown, {text!r} answered"
    elif step.answer is not None:
        yield from _differences(step.answer, json.loads(text), "answer")


def _differences(shown: Any, answered: Any, where: str) -> Iterator[str]:
    if shown == ANY:
        return
    if isinstance(shown, dict) and isinstance(answered, dict):
        if shown.keys() != answered.keys():
            yield f"{where}: fields {sorted(shown)} shown, {sorted(answered)} answered"
        for name in shown.keys() & answered.keys():
            yield from _differences(shown[name], answered[name], f"{where}.{name}")
    elif isinstance(shown, list) and isinstance(answered, list):
        if len(shown) != len(answered):
            yield f"{where}: {len(shown)} shown, {len(answered)} answered"
        for number, (one, other) in enumerate(zip(shown, answered, strict=False)):
            yield from _differences(one, other, f"{where}[{number}]")
    elif shown != answered or type(shown) is not type(answered):
        yield f"{where}: {shown!r} shown, {answered!r} answered"
