"""Hosts as network namespaces: made by a process for itself, held open by file descriptors.

Rules:
1. Nothing has a name or a mount: namespaces, interfaces and addresses are gone with the last descriptor
   and process.
2. Who is not root gets a user namespace first, in which he may do all this. There is no way back from it:
   what has to live in the namespace of before (a listening socket) is made before.
3. Interfaces are set up by ioctl: no program such as ip is needed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from chaos.nemesis import Unavailable

CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000
TUN = Path("/dev/net/tun")
MTU_BYTES = 1400
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFMTU = 0x8914, 0x8916, 0x891C, 0x8922
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A host's network: its descriptor, its one interface, its address."""

    descriptor: int
    tun: int
    address: str


def _checked(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def become_able() -> int | None:
    """Rights over own network namespaces: a user namespace where they are missing; gives its descriptor."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0 and _LIBC.unshare(CLONE_NEWNET) == 0:
        return None
    _checked(_LIBC.unshare(CLONE_NEWUSER), "a user namespace")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    return os.open("/proc/self/ns/user", os.O_RDONLY | os.O_CLOEXEC)


def make_host(address: str) -> Namespace:
    """A new namespace with this address (a /16) on one TUN interface; the caller is in it afterwards."""
    _checked(_LIBC.unshare(CLONE_NEWNET), "a network namespace")
    descriptor = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    tun = os.open(TUN, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"tun0", _IFF_TUN | _IFF_NO_PI))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        _up(any_socket, b"lo")
        _set(any_socket, b"tun0", _SIOCSIFADDR, _internet(address))
        _set(any_socket, b"tun0", _SIOCSIFNETMASK, _internet("255.255.0.0"))
        _set(any_socket, b"tun0", _SIOCSIFMTU, struct.pack("i", MTU_BYTES))
        _up(any_socket, b"tun0")
    return Namespace(descriptor, tun, address)


def _internet(address: str) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _set(any_socket: socket.socket, interface: bytes, request: int, value: bytes) -> None:
    fcntl.ioctl(any_socket, request, struct.pack("16s24s", interface, value))


def _up(any_socket: socket.socket, interface: bytes) -> None:
    _set(any_socket, interface, _SIOCSIFFLAGS, struct.pack("H", _IFF_UP | _IFF_RUNNING))


def enter(user: int | None, network: int) -> None:
    """Into these namespaces; for a child process before its program is loaded."""
    if user is not None:
        _checked(_LIBC.setns(user, CLONE_NEWUSER), "into the user namespace")
    _checked(_LIBC.setns(network, CLONE_NEWNET), "into the network namespace")


def why_not() -> Unavailable | None:
    """Why hosts cannot be namespaces here; tried by a child process."""
    if os.uname().sysname != "Linux":
        return Unavailable(f"{os.uname().sysname} has no network namespaces", "run it on Linux")
    if not os.access(TUN, os.R_OK | os.W_OK):
        return Unavailable(f"{TUN} is missing or closed to this user", "modprobe tun; chmod 666 /dev/net/tun")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 0
        try:
            become_able()
            make_host("10.77.0.1")
        except OSError as error:
            code = error.errno or errno.EIO
            os.write(writing, str(error).encode()[:1000])
        os._exit(min(code, 255))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read().decode(errors="replace")
    if os.waitpid(child, 0)[1] == 0:
        return None
    return Unavailable(
        f"no network namespaces for this user ({told})",
        "run as root, or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 "
        "kernel.apparmor_restrict_unprivileged_userns=0; in a container: --cap-add NET_ADMIN,SYS_ADMIN "
        "--device /dev/net/tun",
    )
