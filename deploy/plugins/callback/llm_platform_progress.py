"""What an operator sees of a run: one line a step with its time, what was changed, and errors with what to do.

A step is a play. Everything Ansible has to say goes to the log in full.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook import Playbook
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils.display import Display

DOCUMENTATION = r"""
name: llm_platform_progress
type: stdout
short_description: Progress of a rollout, a line a step; the whole output in the log
description:
  - Shows each play as a step with its time and the C(changes) that its tasks report.
  - Writes what the callback C(default) shows to the log alone.
extends_documentation_fragment: [default_callback, result_format_callback]
"""

RUN = os.environ.get("LLM_PLATFORM_RUN", "run")
WIDTH = 72
LONGEST_LINE = 400
PLAN = {True: "would change", False: "changed"}


def title(task: Task) -> str:
    """A task's name without its role's."""
    return str(task.get_name()).rpartition(" : ")[2]


def shorten(line: str) -> str:
    """The beginning of a long line, such as a logged traceback; the log has all of it."""
    return line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …"


class LogOnly:
    """A display whose every line goes to the log and not to the screen."""

    def __init__(self, display: Display) -> None:
        self._display = display

    def __getattr__(self, name: str) -> Any:
        return getattr(self._display, name)

    def display(self, msg: str, color: str | None = None, stderr: bool = False, **_: Any) -> None:
        self._display.display(msg, color=color, stderr=stderr, log_only=True)

    def _error(self, error: Any, stderr: bool) -> None:
        """Where Ansible's own callback writes a task's error."""
        self.display(f"[ERROR]: {error.event.msg}", C.COLOR_ERROR, stderr)

    def banner(self, msg: str, color: str | None = None, cows: bool = True) -> None:  # noqa: ARG002 - Ansible's own signature
        self.display(f"\n{msg} {'*' * max(3, WIDTH - len(msg))}", color)


class Step:
    """A play that runs."""

    def __init__(self, play: Play) -> None:
        self.name = play.get_name().strip()
        self.started = time.monotonic()
        self.changes: list[str] = []
        self.failed = False
        self.did_something = False

    def line(self, mark: str) -> str:
        seconds = f"{time.monotonic() - self.started:.1f} s"
        return f"{mark} {self.name:<{WIDTH}} {seconds:>8}"


class CallbackModule(Default):  # type: ignore[misc]
    """Ansible's default output for the log, and the progress for the screen."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "llm_platform_progress"

    def __init__(self) -> None:
        super().__init__()
        self._screen = Display()
        self._display = LogOnly(self._screen)
        self._started = time.monotonic()
        self._step: Step | None = None
        self._changed = 0
        self._errors: list[str] = []
        self._checking = False

    # Steps

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        super().v2_playbook_on_start(playbook)
        self._screen.display(RUN, screen_only=True)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        super().v2_playbook_on_play_start(play)
        self._checking = bool(play.check_mode)
        # A play with `serial` starts once for each batch; it stays one step.
        if self._step is not None and self._step.name == play.get_name().strip():
            return
        self._finish_step()
        self._step = Step(play)
        self._show_running(self._step.name)

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        super().v2_playbook_on_task_start(task, is_conditional)
        if self._step is not None:
            self._show_running(f"{self._step.name}: {title(task)}")

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        self._finish_step()
        super().v2_playbook_on_stats(stats)
        for error in self._errors:
            self._show("\n".join(shorten(line) for line in error.splitlines()), C.COLOR_ERROR)
        self._show(self._summary(), C.COLOR_ERROR if self._errors else C.COLOR_OK)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        super().v2_playbook_on_no_hosts_matched()
        self._step = None

    # Results

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._note(result, result.result)  # before Ansible's own takes the items away
        super().v2_runner_on_ok(result)

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        super().v2_runner_item_on_ok(result)
        if "changes" in result.result:
            self._note_changes(result, result.result)

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        self._note_changes(result, result.result)
        if not ignore_errors:
            self._fail(result)
        super().v2_runner_on_failed(result, ignore_errors=ignore_errors)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        super().v2_runner_on_unreachable(result)
        self._fail(result)

    def _note(self, result: CallbackTaskResult, content: dict[str, Any]) -> None:
        if self._step is not None:
            self._step.did_something = True
        self._note_changes(result, content)
        if content.get("changed"):
            self._changed += 1

    def _note_changes(self, result: CallbackTaskResult, content: dict[str, Any]) -> None:
        """What a module of ours reports: ``changes`` (who, what, why) and ``notes``."""
        if self._step is None:
            return
        host = f"{result.host.get_name()}: " if result.host.get_name() != "localhost" else ""
        happened = content.get("changed") or content.get("failed")
        for change in (happened and content.get("changes")) or []:
            spent = f"  {change['seconds']:.1f} s" if change.get("seconds") else ""
            self._step.changes.append(f"{host}{change['replica']}: {change['action']} ({change['reason']}){spent}")
        self._step.changes += [f"{host}note: {note}" for note in content.get("notes") or []]
        tells = any("changes" in one for one in [content, *(content.get("results") or [])])
        if content.get("changed") and not tells:
            self._step.changes.append(f"{host}{title(result.task)}")

    def _fail(self, result: CallbackTaskResult) -> None:
        if self._step is not None:
            self._step.failed = True
        content = result.result
        failed = [one for one in content.get("results") or [] if one.get("failed") or one.get("unreachable")]
        for one in failed or [content]:
            message = str(one.get("msg") or one.get("stderr") or one)
            if one.get("stderr") and one.get("msg") == "non-zero return code":
                message = one["stderr"]
            self._errors.append(f"\n{result.host.get_name()}: {title(result.task)}: {message}")

    # The screen

    def _finish_step(self) -> None:
        step, self._step = self._step, None
        if step is None:
            return
        self._erase_running()
        if step.failed:
            self._show(step.line("✗"), C.COLOR_ERROR)
        else:
            self._show(step.line("✓"), C.COLOR_CHANGED if step.changes else C.COLOR_OK)
        for change in dict.fromkeys(step.changes):
            self._show(f"    {change}")

    def _summary(self) -> str:
        seconds = f"{time.monotonic() - self._started:.0f} s"
        log = f"; the log is {C.DEFAULT_LOG_PATH}" if C.DEFAULT_LOG_PATH else ""
        if self._errors:
            return f"\nstopped after {seconds}{log}"
        if RUN.endswith(" verify"):
            return f"all of it holds ({seconds})"
        if not self._changed:
            return f"nothing {PLAN[self._checking]} ({seconds})"
        plural = "s" if self._changed > 1 else ""
        return f"{self._changed} task{plural} {PLAN[self._checking]} something ({seconds}){log}"

    def _show(self, line: str, color: str | None = None) -> None:
        self._screen.display(line, color=color, screen_only=True)

    def _show_running(self, what: str) -> None:
        """On a terminal, in place of the line before."""
        if sys.stdout.isatty():
            self._erase_running()
            sys.stdout.write(f"… {what}"[: shutil.get_terminal_size().columns - 1])
            sys.stdout.flush()

    def _erase_running(self) -> None:
        if sys.stdout.isatty():
            sys.stdout.write("\r\x1b[K")
