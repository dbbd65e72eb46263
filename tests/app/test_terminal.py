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


def test_an_app_whose_terminal_is_gone_keeps_the_session_and_ends(tmp_path):
    session = SESSIONS / "mystery.qdbg"
    with Terminal(session, "--arith", "textbook", cwd=tmp_path) as terminal:
        terminal.until("step 1/20")
        terminal.press("c").until("difference, 8 of 16 differ")
        assert terminal.hang_up() == 0
    with Terminal(session, "--arith", "textbook", cwd=tmp_path) as terminal:
        terminal.until("go on where you were: fc1:linear.clamp")
