"""The command palette: every command of the table, found by what it does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual.app import ComposeResult
from textual.command import CommandList, CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.errors import NoWidget
from textual.events import Click
from textual.worker import Worker

from qdbg.app.dialogs import Dialog
from qdbg.commands import COMMANDS, Command
from qdbg.keys import key_sign

if TYPE_CHECKING:
    from qdbg.app.app import QdbgApp


class Rows(CommandList):
    """Textual's own, which survives a click on a command that is not there any more: a search has
    ended meanwhile, or the first of two clicks has given its command."""

    async def _on_click(self, event: Click) -> None:
        event.prevent_default()
        if event.style.meta.get("option", 0) < self.option_count:
            await super()._on_click(event)


class Palette(CommandPalette, Dialog[None]):
    """Textual's own, which gives one command."""

    def compose(self) -> ComposeResult:
        """The same, with another list."""
        for part in super().compose():
            yield Rows() if isinstance(part, CommandList) else part

    def run_worker(self, *arguments: Any, **options: Any) -> Worker[Any]:
        """A search that its closing ends fails unseen."""
        return super().run_worker(*arguments, **(options | {"exit_on_error": False}))

    def _on_click(self, event: Click) -> None:  # type: ignore[override]  # as Textual's own is
        """A click beside it closes it, also where the terminal has become smaller meanwhile."""
        event.prevent_default()
        try:
            beside = self.get_widget_at(event.screen_x, event.screen_y)[0] is self
        except NoWidget:
            beside = True
        if beside:
            self.dismiss()


class CommandProvider(Provider):
    """Gives the commands to Textual's palette."""

    def _give(self, command: Command) -> None:
        cast("QdbgApp", self.app).give(command.id)

    async def discover(self) -> Hits:
        """All commands, before anything is typed."""
        for command in COMMANDS:
            yield DiscoveryHit(_title(command), partial(self._give, command), help=command.help)
        for name, words in self._layers():
            yield DiscoveryHit(f"go to {name}", partial(self._go, name), help=words)

    async def search(self, query: str) -> Hits:
        """The commands whose words match."""
        matcher = self.matcher(query)
        for command in COMMANDS:
            text = f"{_title(command)} {command.help}"
            score = matcher.match(text)
            if score > 0:
                run = partial(self._give, command)
                yield Hit(score, matcher.highlight(_title(command)), run, help=command.help)
        for name, words in self._layers():
            score = matcher.match(f"go to {name} {words}")
            if score > 0:
                title = matcher.highlight(f"go to {name}")
                yield Hit(score, title, partial(self._go, name), help=words)

    def _go(self, name: str) -> None:
        cast("QdbgApp", self.app).give("go", name)

    def _layers(self) -> tuple[tuple[str, str], ...]:
        """Every layer with what it is; none before the model has run."""
        from qdbg.app.naming import layers  # noqa: PLC0415 - loaded with the recording

        app = cast("QdbgApp", self.app)
        return layers(app.debugger.trace) if app.loaded else ()


def _title(command: Command) -> str:
    keys = " ".join(key_sign(key) for key in command.keys)
    return f"{command.label}  {keys}" if keys else command.label
