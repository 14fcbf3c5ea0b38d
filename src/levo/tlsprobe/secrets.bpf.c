/* The probe: runs where a library is about to log a secret, and puts it into a ring that only the sensor reads.
 *
 * A handful of runs for each connection, none for each octet. Nothing of the kernel is read, so that one object fits
 * every kernel from 5.15 on, with or without its type information.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "event.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Registers as a uprobe shows them: part of each architecture's ABI towards BPF. */
#if defined(__TARGET_ARCH_x86)
struct registers {
    unsigned long r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
};
#define ARGUMENT_1(r) ((r)->rdi)
#define ARGUMENT_2(r) ((r)->rsi)
#define ARGUMENT_3(r) ((r)->rdx)
#define ARGUMENT_4(r) ((r)->rcx)
#define ARGUMENT_5(r) ((r)->r8)
#define ARGUMENT_6(r) ((r)->r9)
#elif defined(__TARGET_ARCH_arm64)
struct registers {
    __u64 x[31];
};
#define ARGUMENT_1(r) ((r)->x[0])
#define ARGUMENT_2(r) ((r)->x[1])
#define ARGUMENT_3(r) ((r)->x[2])
#define ARGUMENT_4(r) ((r)->x[3])
#define ARGUMENT_5(r) ((r)->x[4])
#define ARGUMENT_6(r) ((r)->x[5])
#else
#error "which machine?"
#endif

struct command {
    char name[16];
};

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 8 << 20);
} secrets SEC(".maps");

/* One element each: the sensor maps the counters. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(map_flags, BPF_F_MMAPABLE);
    __uint(max_entries, LEVO_COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct levo_settings);
} settings SEC(".maps");

/* The second that is being counted, and its hits. */
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 2);
    __type(key, __u32);
    __type(value, __u64);
} pace SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1024);
    __type(key, struct command);
    __type(value, __u8);
} names SEC(".maps");

static __always_inline int count(__u32 which)
{
    __u64 *at = bpf_map_lookup_elem(&counters, &which);
    if (at)
        __sync_fetch_and_add(at, 1);
    return 0;
}

/* The kind of a label's secret, by its first eight letters; -1 where packets are not read with it. */
static __always_inline int kind_of(__u64 label)
{
#define LETTERS(a, b, c, d, e, f, g, h)                                                                               \
    ((__u64)(a) | (__u64)(b) << 8 | (__u64)(c) << 16 | (__u64)(d) << 24 | (__u64)(e) << 32 | (__u64)(f) << 40 |       \
     (__u64)(g) << 48 | (__u64)(h) << 56)
    if (label == LETTERS('C', 'L', 'I', 'E', 'N', 'T', '_', 'R'))
        return LEVO_MASTER;
    if (label == LETTERS('C', 'L', 'I', 'E', 'N', 'T', '_', 'H'))
        return LEVO_CLIENT_HANDSHAKE;
    if (label == LETTERS('S', 'E', 'R', 'V', 'E', 'R', '_', 'H'))
        return LEVO_SERVER_HANDSHAKE;
    if (label == LETTERS('C', 'L', 'I', 'E', 'N', 'T', '_', 'T'))
        return LEVO_CLIENT_TRAFFIC;
    if (label == LETTERS('S', 'E', 'R', 'V', 'E', 'R', '_', 'T'))
        return LEVO_SERVER_TRAFFIC;
    return -1;
#undef LETTERS
}

static __always_inline int wanted(const struct levo_settings *set, const struct command *command)
{
    if (set->names && !!bpf_map_lookup_elem(&names, command) != (set->names == LEVO_ALLOW))
        return 0;
    return 1;
}

/* Whether this second has room for one more. Two processors may begin a second at once: a few too many pass. */
static __always_inline int within_pace(__u64 now_ns, __u64 most)
{
    __u32 first = 0, second = 1;
    __u64 this = now_ns / 1000000000;
    __u64 *began = bpf_map_lookup_elem(&pace, &first), *hits = bpf_map_lookup_elem(&pace, &second);
    if (!began || !hits)
        return 1;
    if (*began != this) {
        *began = this;
        *hits = 0;
    }
    return __sync_fetch_and_add(hits, 1) < most;
}

SEC("uprobe")
int on_secret(struct registers *registers)
{
    __u64 cookie = bpf_get_attach_cookie(registers);
    __u32 form = cookie & 3, zero = 0;
    __u64 label_at, random_at, secret_at, length, label = 0;
    struct command command = {};
    struct levo_settings *set = bpf_map_lookup_elem(&settings, &zero);
    struct {
        __u8 random[32], secret[48];
    } found = {};
    struct levo_secret *event;
    int kind;

    if (!set)
        return 0;
    count(LEVO_HITS);
    if (form == LEVO_ARGUMENTS) {
        if (ARGUMENT_4(registers) != 32)
            return count(LEVO_FILTERED); /* not a client random: the label RSA has another identifier */
        label_at = ARGUMENT_1(registers);
        random_at = ARGUMENT_3(registers);
        secret_at = ARGUMENT_5(registers);
        length = ARGUMENT_6(registers);
    } else {
        __u64 structure = ARGUMENT_1(registers);
        if (form == LEVO_POINTER &&
            bpf_probe_read_user(&structure, 8, (void *)(structure + (cookie >> LEVO_COOKIE_POINTER & 0xfff))))
            return count(LEVO_FAULT);
        random_at = structure + (cookie >> LEVO_COOKIE_RANDOM & 0xfff);
        label_at = ARGUMENT_2(registers);
        secret_at = ARGUMENT_3(registers);
        length = ARGUMENT_4(registers);
    }
    if (bpf_probe_read_user(&label, 8, (void *)label_at))
        return count(LEVO_FAULT);
    kind = kind_of(label);
    bpf_get_current_comm(&command, sizeof command);
    if (kind < 0 || !wanted(set, &command))
        return count(LEVO_FILTERED);
    if (length != 32 && length != 48)
        return count(LEVO_FAULT);
    if (!within_pace(bpf_ktime_get_ns(), set->most_a_second))
        return count(LEVO_LIMITED);
    /* Read first: what is reserved is also submitted, so the ring's positions count its records. */
    if (bpf_probe_read_user(found.random, 32, (void *)random_at) ||
        bpf_probe_read_user(found.secret, 32, (void *)secret_at) ||
        (length == 48 && bpf_probe_read_user(found.secret + 32, 16, (void *)(secret_at + 32))))
        return count(LEVO_FAULT);
    event = bpf_ringbuf_reserve(&secrets, sizeof *event, 0);
    if (!event)
        return count(LEVO_RING_FULL);
    event->kind = kind;
    event->length = length;
    __builtin_memset(event->padding, 0, sizeof event->padding);
    event->process = bpf_get_current_pid_tgid() >> 32;
    __builtin_memcpy(event->client_random, found.random, 32);
    __builtin_memcpy(event->secret, found.secret, 48);
    bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP); /* the sensor looks by itself: nobody is woken */
    return count(LEVO_PASSED);
}
