"""Consoles to write to, and a training to show on them."""

import io

from rich.console import Console as RichConsole

PARAMS = {"epochs": 3, "steps": 4, "batch_size": 32, "samples": 120}


def terminal(width=80, height=24, **environ):
    """Return a rich console that writes as to a terminal, into a string."""
    environ = {"TERM": "xterm-256color", **environ}
    return RichConsole(file=io.StringIO(), force_terminal=True, width=width, height=height, _environ=environ)


def log():
    return RichConsole(file=io.StringIO(), _environ={})


def train(console, epochs, params=PARAMS, between=lambda epoch, batch: None):
    """Call the hooks as ``fit`` does; ``epochs`` is the logs of each epoch."""
    console.set_params(dict(params))
    console.on_train_begin({})
    try:
        for epoch, logs in enumerate(epochs):
            console.on_epoch_begin(epoch, {})
            running = {name: value for name, value in logs.items() if not name.startswith("val_")}
            for batch in range(params.get("steps") or 4):
                console.on_train_batch_begin(batch, {})
                between(epoch, batch)
                console.on_train_batch_end(batch, running)
            console.on_epoch_end(epoch, logs)
    finally:
        console.on_train_end({})
    return console.console.file.getvalue()
