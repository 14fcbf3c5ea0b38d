/* The filter of system calls of a running sensor, as a program for seccomp(2).
 *
 * An allow list: what is not on it answers EPERM, or ENOSYS where this list does not know the number, so that libc
 * falls back to an older call. Calls that are allowed whatever their arguments have a constant answer, which the
 * kernel keeps in a bitmap (Linux 5.11): the program runs for the few others alone.
 */
#ifndef LEVO_SYSTEM_CALLS_H
#define LEVO_SYSTEM_CALLS_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && !defined(__ILP32__)
#define LEVO_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__) && !defined(__ILP32__)
#define LEVO_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define LEVO_ARCHITECTURE 0 /* no list for this one */
#endif

#ifndef SECCOMP_RET_LOG
#define SECCOMP_RET_LOG 0x7ffc0000U
#endif
/* Newer than some headers; the same number on every architecture. */
#ifndef __NR_rseq
#define __NR_rseq (LEVO_ARCHITECTURE == AUDIT_ARCH_X86_64 ? 334 : 293)
#endif
#ifndef __NR_clone3
#define __NR_clone3 435
#endif
#ifndef __NR_close_range
#define __NR_close_range 436
#endif
#ifndef __NR_openat2
#define __NR_openat2 437
#endif
#ifndef __NR_faccessat2
#define __NR_faccessat2 439
#endif
#ifndef __NR_epoll_pwait2
#define __NR_epoll_pwait2 441
#endif
#ifndef __NR_futex_waitv
#define __NR_futex_waitv 449
#endif
#define LEVO_FCHMODAT2 452
#define LEVO_NEWEST 462 /* mseal, Linux 6.10: what is above is unknown here */
#define LEVO_X32 0x40000000U

static const uint16_t levo_allowed[] = {
    /* memory */
    __NR_brk, __NR_munmap, __NR_mremap, __NR_madvise, __NR_mincore, __NR_msync, __NR_membarrier,
    /* threads, and the process about itself */
    __NR_exit, __NR_exit_group, __NR_futex, __NR_futex_waitv, __NR_set_robust_list, __NR_get_robust_list,
    __NR_set_tid_address, __NR_rseq, __NR_restart_syscall, __NR_sched_yield, __NR_sched_getaffinity,
    __NR_sched_getparam, __NR_sched_getscheduler, __NR_getpriority, __NR_getcpu, __NR_getpid, __NR_getppid,
    __NR_gettid, __NR_getpgid, __NR_getsid, __NR_getuid, __NR_geteuid, __NR_getgid, __NR_getegid, __NR_getresuid,
    __NR_getresgid, __NR_getgroups, __NR_capget, __NR_getrusage, __NR_times, __NR_sysinfo, __NR_uname, __NR_umask,
    __NR_getrlimit, __NR_getrandom,
    /* signals */
    __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigpending, __NR_rt_sigsuspend,
    __NR_rt_sigtimedwait, __NR_sigaltstack,
    /* time */
    __NR_clock_gettime, __NR_clock_getres, __NR_clock_nanosleep, __NR_nanosleep, __NR_gettimeofday,
    __NR_timerfd_create, __NR_timerfd_settime, __NR_timerfd_gettime,
    /* descriptors */
    __NR_read, __NR_readv, __NR_pread64, __NR_preadv, __NR_preadv2, __NR_write, __NR_writev, __NR_pwrite64,
    __NR_pwritev, __NR_pwritev2, __NR_close, __NR_close_range, __NR_lseek, __NR_dup, __NR_dup3, __NR_fcntl,
    __NR_flock, __NR_pipe2, __NR_eventfd2, __NR_ppoll, __NR_pselect6, __NR_epoll_create1, __NR_epoll_ctl,
    __NR_epoll_pwait, __NR_epoll_pwait2, __NR_inotify_init1, __NR_inotify_add_watch, __NR_inotify_rm_watch,
    __NR_sendfile,
    /* files */
    __NR_openat, __NR_openat2, __NR_fstat, __NR_newfstatat, __NR_statx, __NR_faccessat, __NR_faccessat2,
    __NR_readlinkat, __NR_getdents64, __NR_getcwd, __NR_renameat, __NR_renameat2, __NR_unlinkat, __NR_mkdirat,
    __NR_truncate, __NR_ftruncate, __NR_fallocate, __NR_fsync, __NR_fdatasync, __NR_fchmod, __NR_fchmodat,
    LEVO_FCHMODAT2, __NR_utimensat, __NR_statfs, __NR_fstatfs, __NR_fadvise64, __NR_readahead,
    /* sockets */
    __NR_bind, __NR_connect, __NR_listen, __NR_accept, __NR_accept4, __NR_getsockname, __NR_getpeername,
    __NR_getsockopt, __NR_setsockopt, __NR_sendto, __NR_sendmsg, __NR_sendmmsg, __NR_recvfrom, __NR_recvmsg,
    __NR_recvmmsg, __NR_shutdown,
#ifdef __x86_64__
    /* the older forms of the above */
    __NR_open, __NR_creat, __NR_stat, __NR_lstat, __NR_access, __NR_readlink, __NR_getdents, __NR_rename, __NR_unlink,
    __NR_mkdir, __NR_rmdir, __NR_chmod, __NR_dup2, __NR_pipe, __NR_eventfd, __NR_poll, __NR_select,
    __NR_epoll_create, __NR_epoll_wait, __NR_inotify_init, __NR_time, __NR_getpgrp, __NR_arch_prctl, __NR_utimes,
#endif
};

static const uint32_t levo_families[] = {AF_UNIX, AF_INET, AF_INET6, AF_PACKET};
static const uint32_t levo_prctls[] = {
    PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS,
    PR_SET_NO_NEW_PRIVS, PR_SET_TIMERSLACK, 0x53564d41 /* PR_SET_VMA, which names memory */,
};

enum { LEVO_MOST_STEPS = 2 * (int)(sizeof levo_allowed / sizeof *levo_allowed) + 128 };

typedef struct {
    struct sock_filter steps[LEVO_MOST_STEPS];
    unsigned count;
    uint32_t deny; /* 0, or what every refusal is replaced by */
} levo_program;

static void levo_step(levo_program *to, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    struct sock_filter step = {code, yes, no, value};
    if (to->count < LEVO_MOST_STEPS)
        to->steps[to->count] = step;
    to->count++;
}

static void levo_answer(levo_program *to, uint32_t action)
{
    levo_step(to, BPF_RET | BPF_K, action == SECCOMP_RET_ALLOW || !to->deny ? action : to->deny, 0, 0);
}

static void levo_refuse(levo_program *to, int error)
{
    levo_answer(to, SECCOMP_RET_ERRNO | (uint32_t)error);
}

static void levo_load(levo_program *to, size_t offset)
{
    levo_step(to, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* The lower half of argument *index*: the kernel's own types of what is asked here have no more. */
static void levo_argument(levo_program *to, int index)
{
    levo_load(to, offsetof(struct seccomp_data, args) + 8 * (size_t)index); /* little-endian, both of them */
}

static void levo_is(levo_program *to, uint32_t value, uint8_t yes, uint8_t no)
{
    levo_step(to, BPF_JMP | BPF_JEQ | BPF_K, value, yes, no);
}

/* Allow what is in *values*; else answer *error*. */
static void levo_one_of(levo_program *to, const uint32_t *values, int count, int error)
{
    for (int i = 0; i < count; i++)
        levo_is(to, values[i], (uint8_t)(count - i), 0);
    levo_refuse(to, error);
    levo_answer(to, SECCOMP_RET_ALLOW);
}

/* What follows, until levo_end, is for call *number* alone. */
static unsigned levo_begin(levo_program *to, uint32_t number)
{
    levo_is(to, number, 0, 0);
    return to->count;
}

static void levo_end(levo_program *to, unsigned began)
{
    if (to->count <= LEVO_MOST_STEPS)
        to->steps[began - 1].jf = (uint8_t)(to->count - began);
}

/* Write the program. *process*: our number; *deny*: see levo_program. False where there is no list. */
static int levo_write(levo_program *to, uint32_t process, uint32_t deny)
{
    unsigned began;
    to->count = 0;
    to->deny = deny;
    if (!LEVO_ARCHITECTURE)
        return 0;
    levo_load(to, offsetof(struct seccomp_data, arch));
    levo_is(to, LEVO_ARCHITECTURE, 1, 0);
    levo_refuse(to, EPERM); /* 32-bit calls, through int 0x80 for instance */
    levo_load(to, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
    levo_step(to, BPF_JMP | BPF_JGE | BPF_K, LEVO_X32, 0, 1);
    levo_refuse(to, EPERM);
#endif
    /* Every answer here depends on an argument. */
    began = levo_begin(to, __NR_clone); /* threads only: no process, no namespace */
    levo_argument(to, 0);
    levo_step(to, BPF_ALU | BPF_AND | BPF_K, 0x00010000 /* CLONE_THREAD */ | 0x7e020000 /* CLONE_NEW… */, 0, 0);
    levo_is(to, 0x00010000, 1, 0);
    levo_refuse(to, EPERM);
    levo_answer(to, SECCOMP_RET_ALLOW);
    levo_end(to, began);

    began = levo_begin(to, __NR_socket);
    levo_argument(to, 0);
    levo_is(to, AF_NETLINK, 0, 4);
    levo_argument(to, 2);
    levo_is(to, 0 /* NETLINK_ROUTE */, 1, 0);
    levo_refuse(to, EPROTONOSUPPORT);
    levo_answer(to, SECCOMP_RET_ALLOW);
    levo_one_of(to, levo_families, sizeof levo_families / sizeof *levo_families, EAFNOSUPPORT);
    levo_end(to, began);

    began = levo_begin(to, __NR_socketpair);
    levo_argument(to, 0);
    levo_one_of(to, levo_families, 1, EAFNOSUPPORT);
    levo_end(to, began);

    began = levo_begin(to, __NR_ioctl); /* typing into the terminal that we were started from */
    levo_argument(to, 1);
    levo_is(to, 0x5412 /* TIOCSTI */, 2, 0);
    levo_is(to, 0x541c /* TIOCLINUX */, 1, 0);
    levo_answer(to, SECCOMP_RET_ALLOW);
    levo_refuse(to, EPERM);
    levo_end(to, began);

    began = levo_begin(to, __NR_mmap); /* code comes from files: nothing is written and executed */
    levo_argument(to, 2);
    levo_step(to, BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC, 0, 0);
    levo_is(to, PROT_WRITE | PROT_EXEC, 1, 0);
    levo_answer(to, SECCOMP_RET_ALLOW);
    levo_refuse(to, EPERM);
    levo_end(to, began);

    began = levo_begin(to, __NR_mprotect);
    levo_argument(to, 2);
    levo_step(to, BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0);
    levo_answer(to, SECCOMP_RET_ALLOW);
    levo_refuse(to, EPERM);
    levo_end(to, began);

    began = levo_begin(to, __NR_prctl);
    levo_argument(to, 0);
    levo_one_of(to, levo_prctls, sizeof levo_prctls / sizeof *levo_prctls, EPERM);
    levo_end(to, began);

    static const uint16_t to_itself[] = {__NR_kill, __NR_tgkill}; /* abort() and raise() */
    for (int i = 0; i < 2; i++) {
        began = levo_begin(to, to_itself[i]);
        levo_argument(to, 0);
        levo_one_of(to, &process, 1, EPERM);
        levo_end(to, began);
    }

    const uint32_t itself[] = {0, process};
    began = levo_begin(to, __NR_prlimit64);
    levo_argument(to, 0);
    levo_one_of(to, itself, 2, EPERM);
    levo_end(to, began);

    /* Constant answers from here on. */
    for (size_t i = 0; i < sizeof levo_allowed / sizeof *levo_allowed; i++) {
        levo_is(to, levo_allowed[i], 0, 1);
        levo_answer(to, SECCOMP_RET_ALLOW);
    }
    levo_is(to, __NR_clone3, 2, 0); /* its flags are out of reach: libc goes on with clone(2) */
    levo_step(to, BPF_JMP | BPF_JGT | BPF_K, LEVO_NEWEST, 1, 0);
    levo_refuse(to, EPERM);
    levo_step(to, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS, 0, 0); /* not even in log mode let through */
    return to->count <= LEVO_MOST_STEPS;
}

/* Hand the kernel a filter, for every thread. A service's own filter may refuse seccomp(2) but not prctl(2), which
 * is for the calling thread and those that it starts. 0, or an error number. */
static int levo_install(const struct sock_fprog *written)
{
    long failed = syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, written);
    if (failed < 0 && (errno == EPERM || errno == ENOSYS || errno == EINVAL))
        failed = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, written, 0, 0);
    if (failed == 0)
        return 0;
    return failed > 0 ? ESRCH : errno; /* > 0: a thread that has a filter of its own */
}

/* 0 where the kernel takes filters of ours, or an error number. Changes nothing. */
static int levo_probe(void)
{
    int failed = LEVO_ARCHITECTURE ? levo_install(NULL) : ENOTSUP;
    return failed == EFAULT ? 0 : failed; /* it went on to read the program */
}

/* Put every thread of the process under the filter, for good. 0, or an error number. */
static int levo_confine(uint32_t deny)
{
    levo_program program;
    if (!levo_write(&program, (uint32_t)getpid(), deny))
        return ENOTSUP;
    const struct sock_fprog written = {(unsigned short)program.count, program.steps};
    return levo_install(&written);
}
#endif
