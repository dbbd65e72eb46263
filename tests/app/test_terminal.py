"""qdbg in a real pseudo-terminal."""

from tests.app.terminal import SESSIONS, Terminal


def test_keys_step_and_resizing_keeps_the_stop_reason_and_the_footer(tmp_path):
    with Terminal(SESSIONS / "mystery.qdbg", "--arith", "textbook", cwd=tmp_path) as terminal:
        terminal.until("step 1/20")
        terminal.press("c").until("difference, 8 of 16 differ")
        terminal.resize(60, 16).until("difference, 8 of 16 differ")
        terminal.until(lambda _: "next" in terminal.line(-1))
        terminal.press("q")
        assert terminal.ended() == 0
