"""Capabilities of the calling thread (capabilities(7)) as bit masks; threads that it starts later inherit them."""

cdef extern from "<linux/capability.h>" nogil:
    struct header_t "__user_cap_header_struct":
        unsigned int version
        int pid
    struct data_t "__user_cap_data_struct":
        unsigned int effective
        unsigned int permitted
        unsigned int inheritable
    unsigned int _LINUX_CAPABILITY_VERSION_3

cdef extern from "<sys/prctl.h>" nogil:
    int prctl(int option, unsigned long two, unsigned long three, unsigned long four, unsigned long five)
    int PR_SET_KEEPCAPS
    int PR_CAPBSET_READ
    int PR_CAPBSET_DROP
    int PR_SET_NO_NEW_PRIVS
    int PR_SET_DUMPABLE

cdef extern from "<sys/syscall.h>" nogil:
    long SYS_capget
    long SYS_capset

cdef extern from "<unistd.h>" nogil:
    long syscall(long number, ...)

cdef extern from "<errno.h>" nogil:
    int errno

import os

NET_RAW = 1 << 13
SETGID = 1 << 6
SETUID = 1 << 7


def permitted() -> int:
    """The capabilities that may be used."""
    cdef header_t header
    cdef data_t data[2]
    header.version = _LINUX_CAPABILITY_VERSION_3
    header.pid = 0
    if syscall(SYS_capget, &header, data) != 0:
        raise OSError(errno, os.strerror(errno))
    return data[0].permitted | <unsigned long long>data[1].permitted << 32


def keep_only(unsigned long long mask) -> None:
    """Give up all permitted capabilities but *mask*, and every inheritable and ambient one."""
    cdef header_t header
    cdef data_t data[2]
    cdef int half
    header.version = _LINUX_CAPABILITY_VERSION_3
    header.pid = 0
    for half in range(2):
        data[half].effective = data[half].permitted = <unsigned int>(mask & 0xFFFFFFFF)
        data[half].inheritable = 0
        mask >>= 32
    if syscall(SYS_capset, &header, data) != 0:
        raise OSError(errno, os.strerror(errno))


def bound_to(unsigned long long mask) -> None:
    """Let no program that is started later get more than *mask*; where this takes CAP_SETPCAP, it stays as it is."""
    cdef int number = 0
    while prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        if not mask >> number & 1:
            prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
        number += 1


def keep_across_users(bint on) -> None:
    """Whether a change from root to another user leaves the permitted capabilities."""
    if prctl(PR_SET_KEEPCAPS, on, 0, 0, 0) != 0:
        raise OSError(errno, os.strerror(errno))


def no_new_privileges() -> None:
    """Started programs get no privileges by set-user-ID or file capabilities (PR_SET_NO_NEW_PRIVS)."""
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def no_core_dumps() -> None:
    """Memory holds captured content: neither dumped nor traced by others (PR_SET_DUMPABLE)."""
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
