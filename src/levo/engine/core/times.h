/* Lengths of time, in nanoseconds as all times of the engine. */
#ifndef LEVO_CORE_TIMES_H
#define LEVO_CORE_TIMES_H
#include <stdint.h>
#define LEVO_SECOND_NS ((int64_t)1000000000)
#define LEVO_MINUTE_NS (60 * LEVO_SECOND_NS)
#endif
