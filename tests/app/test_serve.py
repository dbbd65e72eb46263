"""`--serve`: the app in a browser, on this machine only."""

import asyncio
import builtins
import json
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from qdbg.app import serve
from qdbg.headless.arguments import open_parser
from qdbg.headless.options import PORT, UsageError, joined

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def server(port):
    """qdbg serving the tour: its process, once it says where."""
    command = [sys.executable, "-m", "qdbg", f"--serve={port}", "--tour"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        said = process.stdout.readline()
        assert f"http://127.0.0.1:{port}" in said
        yield process
        process.terminate()
        assert process.wait(20) == 0


def get(url, **headers):
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - likewise
        return answer.read().decode()


def test_the_page_is_there(server, port):
    page = get(f"http://127.0.0.1:{port}/")
    assert f"ws://127.0.0.1:{port}/ws" in page


def test_the_page_asks_no_other_machine(server, port):
    own = f"http://127.0.0.1:{port}"
    with urllib.request.urlopen(f"{own}/", timeout=20) as answer:  # noqa: S310 - our own address
        page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
    tags = re.findall(r"<(?:link|script|img)[^>]*>", page)
    assert all("://" not in tag or own in tag for tag in tags)
    parts = {address for tag in tags for address in re.findall(rf'"({own}/[^"]*)"', tag)}
    assert {Path(address).suffix for address in parts} >= {".css", ".js"}
    for address in parts:
        assert get(address)
    assert policy.startswith(f"default-src 127.0.0.1:{port} localhost:{port} data:;")
    font = re.search(r'url\("(/static/fonts/[^"]*)"\)', page)[1]
    with urllib.request.urlopen(f"{own}{font}", timeout=20) as answer:  # noqa: S310 - likewise
        assert answer.read(4) == b"\0\1\0\0"  # a TrueType font


def opened_by(process):
    """What it has open: sockets and files, of which some are closed while this is asked."""
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield link.readlink().name


def test_no_other_address_is_bound(server):
    """What the kernel lists as listening, of this process's own sockets."""
    own = set(opened_by(server.pid))
    bound = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in own:
                bound.add((table, fields[1].partition(":")[0]))
    assert bound == {("tcp", "0100007F")}


@pytest.mark.parametrize(
    "headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}]
)
def test_other_sites_are_refused(server, port, headers):
    with pytest.raises(urllib.error.HTTPError) as refused:
        get(f"http://127.0.0.1:{port}/ws", **headers)
    refused.value.close()
    assert refused.value.code == 403


async def test_a_browser_sees_the_app_and_its_keys_arrive(server, port):
    address = f"http://127.0.0.1:{port}/ws?width=120&height=40"
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket_:
        await read_until(socket_, "tour 1 of 7")
        await socket_.send_str(json.dumps(["stdin", "c"]))
        await read_until(socket_, "tour 2 of 7")


async def read_until(socket_, words):
    seen = b""
    async with asyncio.timeout(60):
        while words.encode() not in seen:
            message = await socket_.receive()
            seen += message.data if isinstance(message.data, bytes) else b""


def test_a_port_that_is_taken_is_refused_in_words(server, port):
    with pytest.raises(serve.ServeError, match="cannot be used"):
        serve.serve([], port)


@pytest.mark.parametrize("wrong", ["", "0", "22", "1023", "65536", "-1", "1.5", "abc"])
def test_what_is_no_port_is_refused_with_the_range(wrong):
    with pytest.raises(UsageError, match=f"'{wrong}' is no port: expected 1024 to 65535"):
        open_parser().parse_args(joined(["x.qdbg", "--serve", wrong]))


def test_without_textual_serve_it_is_said_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *rest):
        if name.startswith("textual_serve"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(serve.ServeError, match="not installed") as caught:
        serve.serve([], 1)
    assert "pip install" in caught.value.remedy


@pytest.mark.parametrize(
    ("argv", "port", "target"),
    [
        (["--serve"], PORT, None),
        (["--serve", "8123", "x.qdbg"], 8123, "x.qdbg"),
        (["--serve", "x.qdbg"], PORT, "x.qdbg"),
        (["x.qdbg", "--serve"], PORT, "x.qdbg"),
    ],
)
def test_the_port_may_be_left_out(argv, port, target):
    options = open_parser().parse_args(joined(argv))
    assert (options.serve, options.target) == (port, target)
