/* First process of the container: starts the sensor without privileges, passes signals on, reaps what is left over.
 *
 *   ./bin/init apidump ...        starts: /usr/bin/python3.11 -IB /app/bin/levo apidump ...
 *
 * The sensor runs as user 65532 and keeps one capability, CAP_NET_RAW, which opens capture sockets, also on
 * interfaces that appear later. Where that cannot be arranged (no root, no SETUID) it runs as it is. LEVO_USER=0
 * stays root.
 *
 * Signals to another user's process take CAP_KILL, which minimal containers lack. So this process acts as the
 * sensor's user, and keeps root as its saved user alone, for a first process before it (docker run --init) to
 * signal it. It holds no capability once the sensor has been started.
 *
 * Ends with the sensor's status; 128 + signal if a signal ended it; 127 if it could not be started.
 *
 * Compiled rather than Python: it starts in a millisecond and holds less than a megabyte for the container's life.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef LEVO_VERSION
#define LEVO_VERSION "unknown"
#endif
#ifndef LEVO_PYTHON
#define LEVO_PYTHON "/usr/bin/python3.11"
#endif
#define LEVO_SCRIPT "/app/bin/levo"

static const unsigned USER = 65532;

/* Permitted capabilities (the first 32) of this process; 0 if they cannot be read. */
static unsigned permitted(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    return syscall(SYS_capget, &header, data) == 0 ? data[0].permitted : 0;
}

/* Keep *kept* as permitted, effective and inheritable capabilities. 0, or -1 with errno. */
static int keep_capabilities(unsigned kept)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{kept, kept, kept}, {0, 0, 0}};
    return syscall(SYS_capset, &header, data) == 0 ? 0 : -1;
}

/* Act as USER, with CAP_NET_RAW alone. 0, or -1 with errno: then nothing that matters has changed. */
static int give_up_root(void)
{
    const unsigned needed = 1u << CAP_SETUID | 1u << CAP_SETGID;
    if ((permitted() & needed) != needed) {
        errno = EPERM; /* asked first: with one of the two it would end as half of each */
        return -1;
    }
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
        return -1;
    for (int capability = 0; capability <= 63; capability++)
        if (capability != CAP_NET_RAW)
            prctl(PR_CAPBSET_DROP, capability, 0, 0, 0); /* beyond the last one, or not allowed: no harm */
    if (setgroups(0, NULL) != 0 || setresgid(USER, USER, USER) != 0 || setresuid(USER, USER, 0) != 0)
        return -1;
    return keep_capabilities(permitted() & (1u << CAP_NET_RAW));
}

static void start(char **arguments, int count, pid_t parent, const sigset_t *mask)
{
    char **argv = calloc((size_t)count + 4, sizeof *argv);
    if (argv == NULL)
        _exit(127);
    argv[0] = LEVO_PYTHON;
    argv[1] = "-IB";
    argv[2] = LEVO_SCRIPT;
    memcpy(argv + 3, arguments, (size_t)count * sizeof *argv);

    /* A process group of its own: what the terminal or a group's kill sends arrives once, not twice. */
    setpgid(0, 0);
    tcsetpgrp(STDIN_FILENO, getpid()); /* SIGTTOU is still blocked; without a terminal it fails, rightly */
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (geteuid() == USER && setresuid(USER, USER, USER) != 0) { /* the saved user too: no way back */
        fprintf(stderr, "levo-init: cannot give up root: %s\n", strerror(errno));
        _exit(127);
    }
    unsigned raw = permitted() & (1u << CAP_NET_RAW);
    if (geteuid() != 0 && raw && keep_capabilities(raw) == 0)
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(127);
    fprintf(stderr, "levo-init " LEVO_VERSION ": starts levo %s as user %u, capture sockets %s\n",
            count > 0 ? arguments[0] : "--help", (unsigned)geteuid(),
            permitted() & (1u << CAP_NET_RAW) ? "allowed" : "not allowed (no NET_RAW)");
    execv(argv[0], argv);
    fprintf(stderr, "levo-init: %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

int main(int argc, char **argv)
{
    sigset_t all, before;
    pid_t self = getpid();
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); /* for runs where it is not process 1 */

    const char *user = getenv("LEVO_USER");
    if (geteuid() == 0 && (user == NULL || strcmp(user, "0") != 0) && give_up_root() != 0)
        fprintf(stderr, "levo-init: stays user %u: %s; another user takes SETUID and SETGID\n", (unsigned)geteuid(),
                strerror(errno));

    pid_t sensor = fork();
    if (sensor < 0) {
        fprintf(stderr, "levo-init: fork: %s\n", strerror(errno));
        return 127;
    }
    if (sensor == 0)
        start(argv + 1, argc - 1, self, &before);
    keep_capabilities(0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (;;) {
        int number = sigwaitinfo(&all, NULL);
        if (number < 0)
            continue;
        if (number != SIGCHLD) {
            if (kill(sensor, number) != 0 && errno != ESRCH) /* ESRCH: it has ended, SIGCHLD follows */
                fprintf(stderr, "levo-init: signal %d did not reach the sensor: %s\n", number, strerror(errno));
            continue;
        }
        for (;;) {
            int status;
            pid_t ended = waitpid(-1, &status, WNOHANG);
            if (ended <= 0)
                break;
            if (ended == sensor)
                return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}
