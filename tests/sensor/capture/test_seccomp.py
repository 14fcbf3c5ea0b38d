"""What the filter of system calls answers: computed for every number, and asked from the kernel."""

from __future__ import annotations

import errno
import os
import platform
import socket
import struct
import subprocess
import sys

import pytest

from levo.sensor.capture import seccomp
from tests.cli.levo_command import environment

X86_64, I386 = 0xC000_003E, 0x4000_0003
ALLOW, ERRNO = 0x7FFF_0000, 0x0005_0000
X32 = 0x4000_0000
ME = 4711
# Numbers of the kernel's table for x86-64 (arch/x86/entry/syscalls/syscall_64.tbl).
CLONE, FORK, VFORK, EXECVE, CLONE3 = 56, 57, 58, 59, 435
SOCKET, SOCKETPAIR, IOCTL, MMAP, MPROTECT, PRCTL, KILL, TGKILL, PRLIMIT = 41, 53, 16, 9, 10, 157, 62, 234, 302
NEVER = {
    "fork": FORK,
    "vfork": VFORK,
    "execve": EXECVE,
    "ptrace": 101,
    "setuid": 105,
    "personality": 135,
    "pivot_root": 155,
    "chroot": 161,
    "mount": 165,
    "umount2": 166,
    "init_module": 175,
    "keyctl": 250,
    "mknodat": 259,
    "linkat": 265,
    "symlinkat": 266,
    "unshare": 272,
    "perf_event_open": 298,
    "open_by_handle_at": 304,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "seccomp": 317,
    "memfd_create": 319,
    "bpf": 321,
    "execveat": 322,
    "userfaultfd": 323,
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "open_tree": 428,
    "move_mount": 429,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "process_madvise": 440,
}
x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="numbers of x86-64")
supported = pytest.mark.skipif(bool(seccomp.missing()), reason="no filters of system calls here")


def answer(number: int, *arguments: int, architecture: int = X86_64, process: int = ME) -> int:
    """Run the program as the kernel does (classic BPF over struct seccomp_data)."""
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *padded)
    steps, accumulator, at = seccomp.program(process), 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        if code == 0x20:  # BPF_LD | BPF_W | BPF_ABS
            [accumulator] = struct.unpack_from("<I", data, value)
        elif code == 0x54:  # BPF_ALU | BPF_AND
            accumulator &= value
        elif code == 0x06:  # BPF_RET
            return value
        else:
            holds = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value}
            holds[0x45] = bool(accumulator & value)
            at += yes if holds[code] else no


@x86_64
class TestProgram:
    @pytest.mark.parametrize("name", NEVER)
    def test_calls_that_no_sensor_makes_are_refused_whatever_their_arguments(self, name: str) -> None:
        assert answer(NEVER[name]) == ERRNO | errno.EPERM
        assert answer(NEVER[name], *[0xFFFF_FFFF] * 6) == ERRNO | errno.EPERM

    def test_every_number_is_answered_and_jumps_stay_inside(self) -> None:
        allowed = [number for number in range(520) if answer(number) == ALLOW]
        assert 150 < len(allowed) < 190
        for number in set(range(520)) - set(allowed):
            unknown = number > 462 or number == CLONE3
            refusals = (errno.ENOSYS,) if unknown else (errno.EPERM, errno.EAFNOSUPPORT)
            assert answer(number) in [ERRNO | each for each in refusals], number

    @pytest.mark.parametrize("architecture", [I386, 0xC000_00B7, 0])
    def test_calls_of_another_architecture_are_refused(self, architecture: int) -> None:
        assert {answer(each, architecture=architecture) for each in range(520)} == {ERRNO | errno.EPERM}

    def test_calls_of_x32_are_refused(self) -> None:
        assert {answer(X32 | each) for each in range(560)} == {ERRNO | errno.EPERM}
        assert answer(0xFFFF_FFFF) == ERRNO | errno.EPERM

    def test_clone_makes_threads_only(self) -> None:
        thread = 0x3D0F00
        assert answer(CLONE, thread) == ALLOW
        assert answer(CLONE, 17) == ERRNO | errno.EPERM, "fork"
        for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
            assert answer(CLONE, thread | flag) == ERRNO | errno.EPERM

    def test_sockets_of_five_families(self) -> None:
        allowed = {each for each in range(64) if answer(SOCKET, each, 1, 0) == ALLOW}
        assert allowed == {
            socket.AF_UNIX,
            socket.AF_INET,
            socket.AF_INET6,
            socket.AF_NETLINK,
            socket.AF_PACKET,
        }
        # What libpcap and libc take for "not there".
        assert answer(SOCKET, 31, 3, 1) == ERRNO | errno.EAFNOSUPPORT
        assert answer(SOCKET, socket.AF_NETLINK, 3, 12) == ERRNO | errno.EPROTONOSUPPORT
        assert {each for each in range(64) if answer(SOCKETPAIR, each) == ALLOW} == {socket.AF_UNIX}

    def test_nothing_is_written_and_executed(self) -> None:
        read, write, execute = 1, 2, 4
        assert answer(MMAP, 0, 4096, read | execute) == ALLOW
        assert answer(MMAP, 0, 4096, read | write) == ALLOW
        assert answer(MMAP, 0, 4096, read | write | execute) == ERRNO | errno.EPERM
        assert answer(MMAP, 0, 4096, write | execute) == ERRNO | errno.EPERM
        assert answer(MPROTECT, 0, 4096, read) == ALLOW
        assert answer(MPROTECT, 0, 4096, read | execute) == ERRNO | errno.EPERM

    def test_signals_and_limits_are_its_own(self) -> None:
        assert answer(KILL, ME, 6) == answer(TGKILL, ME, ME + 1, 6) == answer(PRLIMIT, 0, 7) == ALLOW
        for call in (KILL, TGKILL, PRLIMIT):
            assert answer(call, ME + 1) == answer(call, 0xFFFF_FFFF) == ERRNO | errno.EPERM
        assert answer(KILL, 0) == ERRNO | errno.EPERM, "the process group"

    def test_terminals_cannot_be_typed_into(self) -> None:
        assert answer(IOCTL, 0, 0x5412) == answer(IOCTL, 0, 0x541C) == ERRNO | errno.EPERM
        # The kernel looks at the lower half alone.
        assert answer(IOCTL, 0, 0x1_0000_5412) == ERRNO | errno.EPERM
        assert answer(IOCTL, 0, 0x5413) == ALLOW

    def test_no_prctl_that_gains_anything(self) -> None:
        allowed = {each for each in range(80) if answer(PRCTL, each) == ALLOW}
        assert allowed == {3, 15, 16, 21, 23, 29, 38, 39}

    def test_the_answers_for_frequent_calls_need_no_argument(self) -> None:
        """The kernel then keeps them in a bitmap and does not run the program."""
        steps = seccomp.program(ME)
        for number in (0, 1, 7, 44, 45, 202, 230, 232, 281):
            at, loaded = 0, []
            while steps[at][0] != 0x06:
                code, yes, no, value = steps[at]
                at += 1
                if code == 0x20:
                    loaded.append(value)
                elif code == 0x35:
                    at += yes if number >= value else no
                else:
                    at += yes if (X86_64 if loaded == [4] else number) == value else no
            assert loaded == [4, 0], number


PRELUDE = """
import ctypes, errno, os, socket, threading, time
from levo.sensor.capture import capabilities, seccomp
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    return ctypes.get_errno() if libc.syscall(*arguments) < 0 else 0
def refused(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return 0
def status(field):
    return {
        line.split()[1]
        for task in os.listdir("/proc/self/task")
        for line in open(f"/proc/self/task/{task}/status")
        if line.startswith(field + ":")
    }
"""
CONFINE = "capabilities.no_new_privileges(); seccomp.confine()\n"


def run(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@supported
class TestKernel:
    def test_threads_that_run_already_are_filtered_too(self) -> None:
        script = (
            """
stop = threading.Event()
others = [threading.Thread(target=stop.wait) for _ in range(3)]
for each in others: each.start()
"""
            + CONFINE
            + """
print(len(os.listdir("/proc/self/task")), status("Seccomp"), status("NoNewPrivs"))
stop.set()
"""
        )
        assert run(script).startswith("4 {'2'}")

    def test_no_program_is_started(self) -> None:
        script = (
            CONFINE
            + """
print(refused(os.fork), refused(os.execv, "/bin/true", ["true"]), os.system("exit 0"))
"""
        )
        fork, execute, system = run(script).split()
        assert (int(fork), int(execute)) == (errno.EPERM, errno.EPERM) and int(system) != 0

    def test_threads_sockets_and_files_work_on(self, tmp_path: object) -> None:
        script = (
            CONFINE
            + f"""
name = {str(tmp_path)!r} + "/file"
open(name, "w").write("x"); os.rename(name, name + "2"); os.truncate(name + "2", 0); os.unlink(name + "2")
made = threading.Thread(target=lambda: print("thread")); made.start(); made.join()
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname()); server.accept()
socket.getaddrinfo("localhost", 80)
import ssl, json, select
ssl.create_default_context(); select.epoll().close()
time.sleep(0.001); os.urandom(8); os.getrandom(8)
print(refused(socket.socket, 31, 3, 1), refused(socket.socket, 40, 1, 0))
"""
        )
        assert run(script) == f"thread\n{errno.EAFNOSUPPORT} {errno.EAFNOSUPPORT}"

    @x86_64
    def test_a_number_that_nobody_knows_is_answered_as_by_an_old_kernel(self) -> None:
        assert run(CONFINE + "print(call(9999), call(435, 0, 0), call(101, 0, 0))").split() == [
            str(each) for each in (errno.ENOSYS, errno.ENOSYS, errno.EPERM)
        ]

    def test_once_applied_it_is_final(self) -> None:
        """What runs under it cannot put another filter in its place, which might pretend success."""
        assert run(CONFINE + "print(seccomp.missing(), refused(seccomp.confine))") == (
            f"{os.strerror(errno.EPERM)} {errno.EPERM}"
        )

    def test_asking_changes_nothing(self) -> None:
        assert run("print(seccomp.missing() or 'none', status('Seccomp'))").startswith("none {'0'}")

    def test_a_crash_still_ends_the_process_by_its_signal(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + CONFINE + "os.abort()"], env=environment(), capture_output=True
        )
        assert done.returncode == -6
