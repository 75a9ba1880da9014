"""The console in a terminal: what it shows there, and that it leaves no trace."""

import io
import os
import re
import struct
import subprocess
import sys

import pytest
from console_cases import PARAMS, terminal, train

from tinygrad_edu.kernels import _jit
from tinygrad_edu.viz.console import Console


def test_the_terminal_is_given_back_after_an_interruption():
    def announcer(kernel):
        pass

    def interrupt(epoch, batch):
        if epoch == 1:
            assert _jit._announcer == console._compiles
            raise KeyboardInterrupt

    default = _jit._announcer
    _jit.set_compile_announcer(announcer)
    try:
        console = Console(terminal())
        with pytest.raises(KeyboardInterrupt):
            train(console, [{"loss": 1.0}, {"loss": 0.5}], between=interrupt)
        assert _jit._announcer is announcer
    finally:
        _jit.set_compile_announcer(default)
    written = console.console.file.getvalue()
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    assert written.rstrip("\n").endswith("\x1b[?25h")


def test_a_stream_that_is_a_file_is_left_alone(monkeypatch):
    results = io.StringIO()
    monkeypatch.setattr(sys, "stdout", results)
    written = train(Console(terminal()), [{"loss": 1.0}], between=lambda epoch, batch: print(batch))
    assert results.getvalue() == "0\n1\n2\n3\n"
    assert "epoch 1/3" in written


def test_no_colours_with_no_color():
    written = train(Console(terminal(NO_COLOR="1")), [{"loss": 1.0}, {"loss": 0.5}])
    codes = {code for sgr in re.findall(r"\x1b\[([\d;]*)m", written) for code in sgr.split(";")}
    assert "\x1b[?25l" in written
    assert codes <= {"0", "1", "2"}  # plain, bold, dim


def test_a_run_that_never_ended_does_not_disturb_the_next():
    console = Console(terminal())
    console.set_params(PARAMS)
    console.on_train_begin()
    written = train(console, [{"loss": 1.0}])
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 2


def test_plain_lines_on_request():
    assert "\x1b" not in train(Console(terminal(), live=False), [{"loss": 1.0}])


CHILD = """
import signal, sys, time
from tinygrad_edu.viz.console import Console

console = Console()
console.set_params({"epochs": 4, "steps": 20, "batch_size": 32, "samples": 640})
console.on_train_begin()
try:
    for epoch in range(4):
        console.on_epoch_begin(epoch)
        for batch in range(20):
            time.sleep(0.002)
            if sys.argv[1] != "end" and (epoch, batch) == (2, 10):
                signal.raise_signal(signal.SIGINT)
            console.on_train_batch_end(batch, {"loss": 1 / (epoch + 1), "accuracy": 0.5})
        console.note("halved")
        print("a word from", end=" ", flush=True)
        print("[/elsewhere]", file=sys.stdout)
        print("and an error", file=sys.stderr)
        time.sleep(0.06)
        console.on_epoch_end(epoch, {"loss": 1 / (epoch + 1), "accuracy": 0.5, "val_loss": 1.5, "mae": 0.4})
except KeyboardInterrupt:
    if sys.argv[1] == "forgotten":
        raise
finally:
    if sys.argv[1] != "forgotten":
        print("an unfinished line", end="")
        console.on_train_end()
print("after")
"""


class Screen:
    """What a terminal shows after rich's few control codes; a line that runs over the edge is an error."""

    def __init__(self, columns, rows, written):
        self.lines, self.y, self.cursor_shown = [""], 0, True
        x = 0
        for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
            if token == "\r":
                x = 0
            elif token == "\n":
                self.y += 1
                if self.y == len(self.lines):
                    self.lines.append("")
            elif token == "\x1b[2K":
                self.lines[self.y] = ""
            elif token.endswith("A"):
                up = int(token[2:-1] or 1)
                assert up < rows, "moved to above the screen's top"
                self.y -= up
            elif token in ("\x1b[?25l", "\x1b[?25h"):
                self.cursor_shown = token.endswith("h")
            elif not token.startswith("\x1b"):
                line = self.lines[self.y].ljust(x)
                self.lines[self.y] = line[:x] + token + line[x + len(token) :]
                x += len(token)
                assert x <= columns, f"{self.lines[self.y]!r} is wider than {columns}"
            else:
                assert token.endswith("m"), f"unexpected control code {token!r}"


def in_terminal(columns, rows, how):
    """Run CHILD in a pseudo-terminal of that size; return what it wrote."""
    pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    unwanted = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES")
    environ = {name: value for name, value in os.environ.items() if name not in unwanted}
    environ |= {"TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, how], stdin=theirs, stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux' way to say that the other end is closed
            break
        if not chunk:
            break
        written += chunk
    os.close(ours)
    child.wait()
    return written.decode()


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (40, 20)])
def test_in_a_terminal(columns, rows):
    written = in_terminal(columns, rows, "end")
    screen = Screen(columns, rows, written)
    assert screen.cursor_shown
    assert written.count("\x1b[?25l") == written.count("\x1b[?25h") == 1
    text = [line.rstrip() for line in screen.lines]
    printed = ["a word from [/elsewhere]", "and an error"] * 4
    assert text[:9] == [*printed, "an unfinished line"]  # above the display, which was drawn anew below
    text = text[9:]
    if columns == 80:
        assert text[0].startswith("╭─ took 0:0")
        text = [line.strip("│").strip() for line in text]
        assert text[1].startswith("epoch 4/4")
        assert text[2].startswith("batch 20/20 ━")
        rows_by_name = {line.split()[0]: line.split("│")[0].split()[1:] for line in text[6:10]}
        text = text[11:]
    else:
        assert text[0].startswith("epoch 4/4")
        assert "took 0:0" in text[0]
        assert text[1].startswith("batch 20/20 ━")
        rows_by_name = {line.split()[0]: line.split()[1:] for line in text[4:8]}
        while not text[0].startswith("★"):
            text = text[1:]
    assert rows_by_name["loss"][:3] == ["0.2500", "0.2500", "4"]
    assert rows_by_name["val_loss"][:4] == ["1.5000", "1.5000", "★", "1"]
    assert text[0].startswith("★ best: epoch 1, val_loss 1.5000")
    assert text[1:3] == ["halved", "after"]


@pytest.mark.parametrize("how", ["interrupted", "forgotten"])
def test_ctrl_c_in_a_terminal(how):
    written = in_terminal(80, 24, how)
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l")
    screen = Screen(10**6, 24, written)  # the traceback may be wide
    assert screen.cursor_shown
    assert any("│ epoch 3/4" in line for line in screen.lines)
    said = any(line.startswith("interrupted: epoch 3 of 4, batch 10") for line in screen.lines)
    assert said == (how == "interrupted")
    assert ("after" in screen.lines) == (how == "interrupted")
    assert ("KeyboardInterrupt" in written) == (how == "forgotten")
