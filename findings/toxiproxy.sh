#!/bin/sh
# toxiproxy-server 2.12.0, on links that live:
# - `reset_peer` added to an open connection does nothing to it until the next byte, and ends it in order then: only
#   connections that come later are reset;
# - `bandwidth` with rate 0 lets nothing pass and closes nothing (no "without a limit");
# - an attribute that it does not know is taken without a word, and has no effect.
# Why it matters: the chaos harness waits for a cut that has worked, and reads back what was taken (chaos/nemesis/toxi.py).
# Succeeds while all of it holds, fails once it has changed. Needs Go and python3.
set -eu
folder=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
server=
GOBIN="$folder" GOFLAGS=-mod=mod go install github.com/Shopify/toxiproxy/v2/cmd/server@v2.12.0
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
LOG_LEVEL=error "$folder/server" -host 127.0.0.1 -port "$port" &
server=$!
python3 - "$port" <<'PY'
import json
import socket
import sys
import threading
import time
import urllib.error
import urllib.request

API = f"http://127.0.0.1:{sys.argv[1]}"


def call(path, body):
    data = json.dumps(body).encode()
    request = urllib.request.Request(API + path, data, {"Content-Type": "application/json"})
    for _ in range(100):  # it has just been started
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.1)
    raise SystemExit("toxiproxy-server does not answer")


def echo(listener):
    while True:
        peer, _ = listener.accept()
        threading.Thread(target=answer, args=(peer,), daemon=True).start()


def answer(peer):
    try:
        while data := peer.recv(100):
            peer.sendall(data)
    except OSError:
        pass


upstream = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=echo, args=(upstream,), daemon=True).start()


def connect(listen):
    return socket.create_connection(("127.0.0.1", int(listen.rpartition(":")[2])), timeout=1)


def link(name):
    """A connection through a proxy of its own, which has carried something."""
    listen = call("/proxies", {"name": name, "listen": "127.0.0.1:0", "enabled": True,
                               "upstream": f"127.0.0.1:{upstream.getsockname()[1]}"})["listen"]
    connection = connect(listen)
    assert ask(connection) == "echo"
    return connection, listen


def ask(connection, *, silent=False):
    try:
        if not silent:
            connection.sendall(b"x")
        return "echo" if connection.recv(1) else "closed"
    except TimeoutError:
        return "nothing"
    except ConnectionError:
        return "reset"


seen = {}
connection, listen = link("reset")
call("/proxies/reset/toxics", {"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 0}})
seen["reset_peer, silent"], seen["reset_peer, a byte"] = ask(connection, silent=True), ask(connection)
seen["reset_peer, a later one"] = ask(connect(listen))
connection, _ = link("narrow")
call("/proxies/narrow/toxics", {"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 0}})
seen["bandwidth 0"] = ask(connection)
connection, _ = link("late")
taken = call("/proxies/late/toxics", {"type": "latency", "stream": "upstream", "attributes": {"latncy": 60_000}})
seen["latncy"], seen["what it took"] = ask(connection), taken["attributes"]
print(json.dumps(seen, indent=1))
assert seen["latncy"] == "echo" and seen["what it took"] == {"latency": 0, "jitter": 0}
assert seen["bandwidth 0"] == "nothing"
assert seen["reset_peer, silent"] == "nothing"
assert (seen["reset_peer, a byte"], seen["reset_peer, a later one"]) == ("closed", "reset")
PY
