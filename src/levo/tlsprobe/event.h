/* What the probe's program, its loader and the sensor agree on. Little-endian, on both machines. */
#ifndef LEVO_TLSPROBE_EVENT_H
#define LEVO_TLSPROBE_EVENT_H

#include <linux/types.h>

/* Kinds of secrets, as levo.engine.tls.keys numbers them. */
enum {
    LEVO_MASTER = 0,
    LEVO_CLIENT_HANDSHAKE = 1,
    LEVO_SERVER_HANDSHAKE = 2,
    LEVO_CLIENT_TRAFFIC = 3,
    LEVO_SERVER_TRAFFIC = 4
};

/* One secret of one connection. */
struct levo_secret {
    __u8 kind;
    __u8 length;     /* of the secret: 32 or 48 */
    __u8 padding[2];
    __u32 process;   /* its id in the first namespace of processes */
    __u8 client_random[32];
    __u8 secret[48];
};

/* Where the probe's counters are in their array. HITS is the sum of the others. */
enum {
    LEVO_HITS = 0,
    LEVO_PASSED = 1,    /* into the ring */
    LEVO_FILTERED = 2,  /* a label that reading packets has no use for, or a process that is left out */
    LEVO_LIMITED = 3,   /* over the limit of secrets a second */
    LEVO_RING_FULL = 4, /* nobody reads, or not fast enough */
    LEVO_FAULT = 5,     /* what should be there could not be read, or has no length of a secret */
    LEVO_COUNTERS = 8
};

/* What the loader sets before the program runs. */
struct levo_settings {
    __u64 most_a_second;
    __u64 names; /* 0, LEVO_DENY or LEVO_ALLOW: what the table of command names means */
};
enum { LEVO_DENY = 1, LEVO_ALLOW = 2 };

/* The cookie of a probe: form, pointer and random as in levo.tlsprobe.location. */
enum { LEVO_ARGUMENTS = 0, LEVO_EMBEDDED = 1, LEVO_POINTER = 2 };
#define LEVO_COOKIE_POINTER 4 /* twelve bits from here on */
#define LEVO_COOKIE_RANDOM 16 /* twelve */

#endif
