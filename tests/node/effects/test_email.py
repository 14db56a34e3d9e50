"""Mails against a real mail server on this host: what arrives, and what is made of what it says."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from node.effects.contract import Parcel, UnsentError
from node.effects.email import Email
from outside import mail
from outside.mail import MailServer as Settings
from tests.cluster.certificates import Certificates
from tests.node.effects.mail_server import MailServer, serving

RUN = {
    "about": "failed", "of": "run", "namespace": "finance", "job": "nightly", "owner": "data-oncall",
    "criticality": "critical", "run": 17, "revision": 3, "cause": "tick", "state": "failed", "exit_code": 3,
    "reason": "exit", "tick_ms": 1_800_000_000_000, "due_ms": 1_800_000_000_000,
    "created_ms": 1_800_000_000_100, "started_ms": 1_800_000_000_200, "finished_ms": 1_800_000_065_200,
}  # fmt: skip
TICKS = {
    "about": "missed", "of": "tick", "namespace": "default", "job": "hourly", "owner": None,
    "criticality": "normal", "run": None, "revision": 1, "cause": "tick", "tick_ms": 1_800_000_000_000,
    "last_ms": 1_800_003_600_000, "count": 2, "reason": "window", "decided_ms": 1_800_090_000_000,
}  # fmt: skip


def parcel(to: str = "ops@example.org", about: str = "failed", **facts: Any) -> Parcel:
    return Parcel("lineage-7", to, about, "c0ffee", 1_800_000_065_200, {**RUN, **facts})


def settings(server: MailServer, **more: Any) -> Settings:
    given = {"server": f"localhost:{server.port}", "from": "cronclave@example.org", "tls": "none", **more}
    return mail.mail_server(given, Path("/"))


async def refused(email: Email, told: Parcel) -> UnsentError:
    with pytest.raises(UnsentError) as caught:
        await email.send(told)
    return caught.value


async def test_a_person_reads_what_happened_why_and_where_to_look() -> None:
    async with serving() as server:
        await Email(settings(server), public_url="https://cronclave.example.org").send(parcel())

    ((to, message),) = server.heard
    assert to == "ops@example.org"
    assert message["Subject"] == "[critical] finance/nightly failed"
    assert message["From"] == "Cronclave <cronclave@example.org>"
    assert message["Message-ID"] == "<lineage-7@cronclave.example.org>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.timestamp() == 1_800_000_065
    text = message.get_content()
    assert "Why: exit, exit code 3" in text
    assert "tick:       2027-01-15T08:00:00Z" in text
    assert "took:       1m5s" in text
    assert "https://cronclave.example.org/cockpit/runs/17" in text
    assert "data-oncall answers for this job." in text


async def test_missed_ticks_say_in_words_why() -> None:
    async with serving() as server:
        told = Parcel("l-8", "a@example.org", "missed", "c", 1_800_000_000_000, TICKS)
        await Email(settings(server)).send(told)

    ((_, message),) = server.heard
    assert message["Subject"] == "default/hourly missed 2 ticks"
    assert "Why: " in message.get_content()
    assert "last:       2027-01-15T09:00:00Z" in message.get_content()
    assert "More: cronclave job history hourly" in message.get_content()


async def test_output_comes_whole_or_says_what_of_it_came() -> None:
    output = [
        {"task": "main", "member": "", "bytes": 4, "end": "hé\n"},
        {"task": "b", "member": "m1", "bytes": 99, "end": "z\n"},
    ]
    async with serving() as server:
        await Email(settings(server)).send(parcel(about="output", state="succeeded", output=output))

    text = server.heard[0][1].get_content().replace("\r\n", "\n")
    assert "Output of main, all of it:\n\nhé\n" in text
    assert "Output of b[m1], its last 2 of 99 bytes:\n\nz\n" in text


@pytest.mark.parametrize(
    ("said", "is_final"),
    [("550 no such user", True), ("553 not here", True), ("450 come back", False), ("452 full", False)],
)
async def test_what_a_server_says_of_an_address_is_final_from_5xx_on(said: str, is_final: bool) -> None:
    async with serving() as server:
        server.refuse["gone@example.org"] = said
        email = Email(settings(server))
        failure = await refused(email, parcel("gone@example.org"))
        await email.send(parcel("ops@example.org"))

    assert (failure.reason, failure.is_final) == (f"the server says {said}", is_final)
    assert [to for to, _ in server.heard] == ["ops@example.org"]


@pytest.mark.parametrize(("said", "is_final"), [("554 this is spam", True), ("451 later", False)])
async def test_what_a_server_says_of_a_text_is_final_from_5xx_on(said: str, is_final: bool) -> None:
    async with serving() as server:
        server.answer = said
        failure = await refused(Email(settings(server)), parcel())

    assert (failure.reason, failure.is_final) == (f"the server says {said}", is_final)


async def test_no_server_and_none_that_listens_are_tried_again() -> None:
    async with serving() as server:
        gone = settings(server)
    assert not (await refused(Email(gone), parcel())).is_final
    assert (await refused(Email(None), parcel())).reason.startswith("this node has no mail server")
    assert not (await refused(Email(None), parcel())).is_final


async def test_a_server_that_says_nothing_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "ANSWER_S", 0.05)
    over = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    failure = await refused(
        Email(settings(MailServer(port=server.sockets[0].getsockname()[1]))), parcel()
    )
    over.set()
    server.close()

    assert not failure.is_final


async def test_letters_beyond_ascii_go_where_the_server_takes_them_and_else_never() -> None:
    async with serving(utf8=True) as server:
        await Email(settings(server)).send(parcel("jörg@bücher.example"))
    assert [to for to, _ in server.heard] == ["jörg@xn--bcher-kva.example"]
    async with serving() as server:
        failure = await refused(Email(settings(server)), parcel("jörg@example.org"))
        await Email(settings(server)).send(parcel("joerg@bücher.example"))

    assert failure.is_final
    assert "takes no letters beyond ASCII before the @: give another address" in failure.reason
    assert [to for to, _ in server.heard] == ["joerg@xn--bcher-kva.example"]


async def test_no_line_of_anybodys_choice_gets_into_the_head() -> None:
    async with serving() as server:
        await Email(settings(server)).send(parcel(job="a\r\nBcc: x@example.org", reason="b\r\n.\r\nQUIT\r\n"))

    ((_, message),) = server.heard
    assert message["Bcc"] is None
    assert message["Subject"] == "[critical] finance/a Bcc: x@example.org failed"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, and that of who trusts it."""
    files = Certificates(tmp_path_factory.mktemp("mail"), "outside").web("localhost")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    return server, ssl.create_default_context(cafile=files.trust)


async def test_a_password_goes_over_tls_to_a_server_that_is_who_it_says(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("open sesame\n")
    async with serving(tls=tls[0], login=("cron", "open sesame")) as server:
        given = {
            "server": f"localhost:{server.port}", "from": "cronclave@example.org", "username": "cron",
            "password_file": "password",
        }  # fmt: skip
        right = mail.mail_server(given, tmp_path)
        await Email(right, trust=tls[1]).send(parcel())
        stranger = await refused(Email(right), parcel())
        (tmp_path / "password").write_text("wrong")
        wrong = await refused(Email(right, trust=tls[1]), parcel())

    assert server.over_tls == [True]
    assert "certificate" in stranger.reason.lower()
    assert not stranger.is_final
    assert "535" in wrong.reason
    assert not wrong.is_final
    assert "wrong" not in wrong.reason


async def test_a_server_without_tls_is_told_nothing_where_tls_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("open sesame")
    async with serving(login=("cron", "open sesame")) as server:
        given = {
            "server": f"localhost:{server.port}", "from": "c@example.org", "username": "cron",
            "password_file": "password",
        }  # fmt: skip
        failure = await refused(Email(mail.mail_server(given, tmp_path)), parcel())

    assert server.heard == []
    assert "STARTTLS" in failure.reason.upper()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "mail.server must be host or host:port"),
        ({"server": "mail:x"}, "mail.server must be host or host:port"),
        ({"server": "mail:0"}, "mail.server must be host or host:port"),
        ({"server": 7}, "mail.server must be a text"),
        ({"server": "mail"}, "mail.from must be the address"),
        ({"server": "mail", "from": "me"}, "mail.from must be the address"),
        ({"server": "mail", "from": "a@b", "tls": "maybe"}, "mail.tls must be one of starttls, tls, none"),
        ({"server": "mail", "from": "a@b", "username": "u"}, "mail.username and mail.password_file go"),
        ({"server": "mail", "from": "a@b", "password_file": "none"}, "mail.username and mail.password_file"),
        (
            {"server": "mail", "from": "a@b", "username": "u", "password_file": "none"},
            "mail.password_file: no file",
        ),
        (
            {"server": "mail", "from": "a@b", "tls": "none", "username": "u", "password_file": "none"},
            "mail.tls is none: a name and a password are sent over TLS alone",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mail\.") as caught:
        mail.mail_server(given, tmp_path)
    assert str(caught.value).startswith(said)


def test_ports_follow_from_how_it_is_spoken_to(tmp_path: Path) -> None:
    found = [
        mail.mail_server({"server": "mail", "from": "a@b", "tls": tls}, tmp_path).port for tls in mail.TLS
    ]
    assert found == [587, 465, 25]
