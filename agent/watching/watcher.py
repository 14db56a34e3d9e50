"""All the folders that this agent looks into: each has a task of its own, so that one whose file system
hangs makes no other wait.

A folder is looked at when inotify says that something happened there, when a file may have stood still for
long enough, and every SCAN_S, whatever was said. Its watch is asked for anew with each look: a folder that
was moved away and made again is watched under its path.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable

from agent.clock import boot_ms
from agent.watching import facts, moving
from agent.watching.folder import Asked, Folder
from agent.watching.inotify import OVERFLOW, Inotify
from scheduler.protocol import (
    FILES_AT_ONCE_MAX,
    Blind,
    Forget,
    Gone,
    Known,
    Message,
    Move,
    Moved,
    Seen,
    Watch,
)

log = logging.getLogger("agent.watching")
SCAN_S = 10.0
LEAST_S = 0.05  #: between two looks, and ten times as long as the last one took
MOVED_AGAIN_S = 5.0

Rows = Iterable[tuple[int, str, str]]


class _Eye:
    """A folder, and what makes it be looked at."""

    def __init__(self, folder: Folder, said: str) -> None:
        self.folder = folder
        self.said = said  #: its trouble, as the cluster knows it
        self.woken = asyncio.Event()
        self.watch: int | None = None
        self.trouble = ""
        self.task: asyncio.Task[None] | None = None


class Watcher:
    def __init__(self, send: Callable[[Message], None], *, scan_s: float = SCAN_S) -> None:
        """`send` may drop what it gets: all is told again until it is answered."""
        self._send = send
        self._scan_s = scan_s
        self._eyes: dict[int, _Eye] = {}  #: by trigger
        self._coming: dict[int, list[tuple[int, str, str]]] = {}  #: known, of folders that a Watch is to name
        self._moving: dict[tuple[int, int], asyncio.Task[None]] = {}  #: by trigger and serial
        self._inotify: Inotify | None = None
        self._watched: dict[int, set[int]] = {}  #: triggers by inotify's watch

    def receive(self, message: Message) -> None:
        match message:
            case Known():
                self._learn(message.trigger, message.files, first=message.first)
            case Watch():
                self._look_into({Asked(*row[:-1]): row[-1] for row in message.folders})
            case Forget():
                self._forget(message.trigger, message.serials)
            case Move():
                key = (message.trigger, message.serial)
                if key not in self._moving:
                    self._moving[key] = asyncio.create_task(self._move(message))

    async def close(self) -> None:
        tasks = [*self._moving.values(), *(eye.task for eye in self._eyes.values() if eye.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._inotify is not None:
            asyncio.get_running_loop().remove_reader(self._inotify.fd)
            self._inotify.close()
            self._inotify = None

    # -- what nodes say

    def _learn(self, trigger: int, files: Rows, *, first: bool) -> None:
        if first:
            self._coming[trigger] = []
        if trigger in self._coming:
            self._coming[trigger] += files
        elif trigger in self._eyes:
            self._eyes[trigger].folder.is_known(files)
            self._eyes[trigger].woken.set()

    def _look_into(self, asked: dict[Asked, str]) -> None:
        """Each with why it could not be looked into, as far as the state knows."""
        self._open()
        for trigger in self._eyes.keys() - {each.trigger for each in asked}:
            self._close(trigger)
        for each, said in asked.items():
            known, eye = self._coming.pop(each.trigger, []), self._eyes.get(each.trigger)
            if eye is not None and eye.folder.asked == each:
                eye.folder.begin_anew(known)
                eye.said = said
                eye.woken.set()
                continue
            if eye is not None:
                self._close(each.trigger)
            log.info("it looks into %s for %s (trigger %d)", each.dir, each.match, each.trigger)
            eye = self._eyes[each.trigger] = _Eye(Folder(each, known), said)
            eye.task = asyncio.create_task(self._follow(eye))
        self._coming.clear()

    def _forget(self, trigger: int, serials: tuple[int, ...]) -> None:
        eye = self._eyes.get(trigger)
        if eye is not None:
            eye.folder.forget(serials)
            eye.said = eye.said if serials else eye.trouble
        for serial in serials:
            task = self._moving.pop((trigger, serial), None)
            if task is not None:
                task.cancel()

    def _open(self) -> None:
        if self._inotify is None:
            try:
                self._inotify = Inotify()
            except OSError as error:
                log.warning("folders are looked at every %.0f s alone: %s", self._scan_s, error)
                return
            asyncio.get_running_loop().add_reader(self._inotify.fd, self._hear)

    def _close(self, trigger: int) -> None:
        eye = self._eyes.pop(trigger)
        if eye.task is not None:
            eye.task.cancel()
        self._let_go(eye)

    # -- looking

    def _hear(self) -> None:
        assert self._inotify is not None
        for watch in self._inotify.read():
            triggers = list(self._eyes) if watch == OVERFLOW else self._watched.get(watch, ())
            for trigger in triggers:
                if trigger in self._eyes:
                    self._eyes[trigger].woken.set()

    async def _follow(self, eye: _Eye) -> None:
        while True:
            begun_ms = boot_ms()
            await self._look(eye)
            await asyncio.sleep(max(LEAST_S, (boot_ms() - begun_ms) / 100))
            wait_ms = eye.folder.wait_ms(boot_ms())
            wait_s = self._scan_s if wait_ms is None else min(self._scan_s, wait_ms / 1_000 + 0.001)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await eye.woken.wait()

    async def _look(self, eye: _Eye) -> None:
        asked = eye.folder.asked
        eye.woken.clear()
        trouble = ""
        try:
            if self._inotify is not None:
                self._keep(eye, await asyncio.to_thread(self._inotify.add, asked.dir))
            device, found = await asyncio.to_thread(facts.look, asked.dir, asked.match)
        except OSError as error:
            trouble = error.strerror or str(error)
        else:
            arrived, gone = eye.folder.look(device, found, boot_ms())
            for at in range(0, len(arrived), FILES_AT_ONCE_MAX):
                part = arrived[at : at + FILES_AT_ONCE_MAX]
                self._send(Seen(asked.trigger, tuple(map(_row, part))))
            if gone:
                self._send(Gone(asked.trigger, tuple(gone)))
        if trouble != eye.said:
            self._send(Blind(asked.trigger, trouble))
        if trouble != eye.trouble:
            eye.trouble = trouble
            log.warning("%s: %s", asked.dir, trouble or "it can be looked into again")

    def _keep(self, eye: _Eye, watch: int) -> None:
        if watch != eye.watch:
            self._let_go(eye)
            eye.watch = watch
            self._watched.setdefault(watch, set()).add(eye.folder.asked.trigger)

    def _let_go(self, eye: _Eye) -> None:
        """Of its watch, which others may have too."""
        if eye.watch is None:
            return
        triggers = self._watched.get(eye.watch, set())
        triggers.discard(eye.folder.asked.trigger)
        if not triggers and self._inotify is not None:
            self._watched.pop(eye.watch, None)
            self._inotify.remove(eye.watch)
        eye.watch = None

    # -- after a run

    async def _move(self, asked: Move) -> None:
        """Once, and what came of it is told until a node knows it."""
        error = await asyncio.to_thread(moving.settle, asked.path, asked.identity, asked.to)
        if error:
            log.warning("%s is left where it is: %s", asked.path, error)
        while True:
            self._send(Moved(asked.trigger, asked.serial, error))
            await asyncio.sleep(MOVED_AGAIN_S)


def _row(each: facts.Facts) -> tuple[str, str, int, int, int]:
    modified_ms, changed_ms = (max(0, ns // 10**6) for ns in (each.modified_ns, each.changed_ns))
    return each.path, each.identity, each.size, modified_ms, changed_ms
