"""Scripts on the command line: every stop is printed, a wrong command named with its place."""

import json

import pytest

from qdbg.debugger import Debugger
from qdbg.script import ScriptError, script
from qdbg.session import Session, load, save
from tests.synthetic import recording


@pytest.fixture
def session(tmp_path):
    path = tmp_path / "s.qdbg"
    save(Session.of(Debugger(recording(), "textbook")), path)
    return path


def test_each_command_is_printed_with_where_it_led_and_why(qdbg, session, tmp_path):
    out_file = tmp_path / "out.qdbg"
    status, out, _ = qdbg("show", session, "--run", f"continue; n; u; save {out_file}")
    lines = out.splitlines()
    assert status == 1
    assert lines[0].startswith("continue")
    assert "fc1:linear.clamp[" in lines[0]
    assert lines[0].endswith("of 16 differ")
    assert "undo of next" in lines[2]
    assert [done.command for done in load(out_file).history] == ["continue", "next", "undo"]


def test_saving_says_which_folder_was_made_for_it(qdbg, session, tmp_path):
    path = tmp_path / "new" / "out.qdbg"
    _, first, _ = qdbg("show", session, "--run", f"save {path}")
    _, again, _ = qdbg("show", session, "--run", f"save {path}")
    assert first.splitlines()[0].endswith(f"saved {path} (made the folder {path.parent})")
    assert again.splitlines()[0].endswith(f"saved {path}")


def test_break_and_watch_come_before_the_run_and_are_set_once(qdbg, session):
    options = ("--break", "fc2.mac[2]", "--break", "fc2.mac[2]", "--break", "difference",
               "--watch", "acc", "--run", "c; c")  # fmt: skip
    _, out, _ = qdbg("show", session, *options)
    lines = out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["break", "watch", "continue", "continue"]
    assert "breakpoint 2 at fc2.mac[2]" in lines[3]
    acc = Debugger(recording(), "textbook")
    acc.execute("go fc2.mac[2]")
    assert any(
        line.startswith("watch acc") and line.endswith(f"fc2 mac {acc.step.simulated[0, 2]}")
        for line in lines
    )


def test_json_has_the_stops_too(qdbg, session):
    _, out, _ = qdbg("show", session, "--json", "--run", "end")
    (ran,) = json.loads(out)["run"]
    assert (ran["command"], ran["stop"]) == ("end", "dequant:dequantize.dequantize")


def test_a_replay_goes_on_from_the_sessions_end(qdbg, session):
    status, out, _ = qdbg("replay", session, "--run", "next; next")
    assert status == 1  # the textbook's arithmetic differs
    assert "quant:quantize.zero_point[0]  next stage" in out.splitlines()[-1]


@pytest.mark.parametrize("command", ["show", "replay"])
@pytest.mark.parametrize(
    ("run", "part"),
    [
        ("next; nexd; end", "--run, command 2 (nexd): there is no command 'nexd'"),
        ("next; go fc9", "--run, command 2 (go fc9): there is no place 'fc9'"),
        ("next 3", "--run, command 1 (next 3): next takes no argument"),
        ("save", "no file is named"),
        ("save /dev/full", "does not end in .qdbg"),
        ("quit", "there is no command 'quit' for scripts"),
    ],
)
def test_a_wrong_command_is_named_with_its_place(qdbg, session, command, run, part):
    status, _, err = qdbg(command, session, "--run", run)
    assert status == 2
    assert part in err


def test_a_breakpoint_that_does_not_exist_is_named_by_its_option(qdbg, session):
    status, _, err = qdbg("show", session, "--break", "fc9")
    assert status == 2
    assert "--break, command 1 (break fc9)" in err


def test_semicolons_in_quotes_separate_nothing():
    (line,) = script("break layer == 'a;b'")
    assert line.argument == "layer == 'a;b'"
    assert [line.name for line in script("n;; ] ;b fc1.mac;: fc2")] == [
        "next", "next-difference", "break", "go",
    ]  # fmt: skip


def test_every_recorded_command_can_stand_in_a_script():
    with pytest.raises(ScriptError, match="Commands: next, back, finish"):
        script("fly")
