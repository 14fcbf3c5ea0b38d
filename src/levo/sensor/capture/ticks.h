/* Timestamps of pcapng interfaces. */
#ifndef LEVO_SENSOR_CAPTURE_TICKS_H
#define LEVO_SENSOR_CAPTURE_TICKS_H
#include <stdint.h>

#define LEVO_NS_MAX ((__int128)INT64_MAX)
#define LEVO_NS_MIN ((__int128)INT64_MIN)
/* ticks of a pcapng interface to nanoseconds; saturates. exponent: 10^-e or, with binary set, 2^-e seconds. */
static int64_t levo_ticks_to_ns(uint64_t ticks, int binary, unsigned exponent, int64_t offset_s) {
    unsigned __int128 ns = ticks;
    __int128 result;
    unsigned i;
    if (binary)
        ns = (ns * 1000000000u) >> (exponent < 127 ? exponent : 127);
    else if (exponent <= 9)
        for (i = exponent; i < 9; i++) ns *= 10u;
    else
        for (i = 9; i < exponent && ns; i++) ns /= 10u;
    result = (__int128)ns + (__int128)offset_s * 1000000000;
    if (result > LEVO_NS_MAX) return INT64_MAX;
    if (result < LEVO_NS_MIN) return INT64_MIN;
    return (int64_t)result;
}
#endif
