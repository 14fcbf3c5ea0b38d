"""The filter of system calls (seccomp(2)) under which a sensor reads packets; ``system_calls.h`` is the list."""

cdef extern from "levo/sensor/capture/system_calls.h" nogil:
    struct sock_filter:
        unsigned short code
        unsigned char jt
        unsigned char jf
        unsigned int k
    ctypedef struct levo_program:
        sock_filter* steps
        unsigned int count
    int levo_write(levo_program* to, unsigned int process, unsigned int deny)
    int levo_probe()
    int levo_confine(unsigned int deny)
    unsigned int SECCOMP_RET_LOG

import os


def missing() -> str:
    """Why this process cannot be put under a filter; empty where it can. Changes nothing."""
    cdef int failed = levo_probe()
    return os.strerror(failed) if failed else ""


def confine(bint log_only=False) -> None:
    """Filter the calls of every thread of this process, for good.

    With *log_only*, refusals are lines in the kernel's log and the calls go through. Needs no new privileges
    set (PR_SET_NO_NEW_PRIVS), or CAP_SYS_ADMIN. Raises ``OSError``: the kernel has no such filters, or there
    is no list for this machine (ENOTSUP).
    """
    cdef int failed = levo_confine(SECCOMP_RET_LOG if log_only else 0)
    if failed:
        raise OSError(failed, os.strerror(failed))


def program(unsigned int process) -> list[tuple[int, int, int, int]]:
    """The filter for process *process* as (code, jump if true, jump if false, value); empty where there is none."""
    cdef levo_program written
    cdef unsigned int i
    if not levo_write(&written, process, 0):
        return []
    return [
        (written.steps[i].code, written.steps[i].jt, written.steps[i].jf, written.steps[i].k)
        for i in range(written.count)
    ]
