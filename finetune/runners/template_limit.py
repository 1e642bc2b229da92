"""End a training process in which a chat template does not come to an end.

advisor renders the rows before training, in a process with limits. But some libraries render chats of their
own when they load a tokenizer, and a template may know the difference. A thread that does not need Python's
lock watches the time, so that one long operation of C code ends too.
"""

from __future__ import annotations

import faulthandler
from contextlib import suppress
from pathlib import Path
from typing import Any

SECONDS = 60
FILE = "slow-template.txt"  # in the run's folder: where the process was when it ended


def limit_templates(run: Path, seconds: float = SECONDS) -> None:
    """Make each rendering of Jinja in this process end the process after some seconds."""
    with suppress(ImportError):
        import jinja2

        render = jinja2.Template.render

        def render_with_limit(template: jinja2.Template, *args: Any, **kwargs: Any) -> str:
            with (run / FILE).open("w") as file:
                faulthandler.dump_traceback_later(seconds, exit=True, file=file)
                try:
                    return render(template, *args, **kwargs)
                finally:
                    faulthandler.cancel_dump_traceback_later()
                    (run / FILE).unlink(missing_ok=True)

        jinja2.Template.render = render_with_limit  # type: ignore[method-assign, assignment]  # as transformers calls it
