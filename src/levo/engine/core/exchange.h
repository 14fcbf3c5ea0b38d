/* Names of what exchanges hold, and memory fetched ahead. */
#ifndef LEVO_CORE_EXCHANGE_H
#define LEVO_CORE_EXCHANGE_H
#include <stddef.h>

/* The first octets only: the processor follows a run that was begun. */
static inline void levo_prefetch(const void *at, size_t size) {
    size_t i, most = size < 1024 ? size : 1024;
    for (i = 0; i < most; i += 64) __builtin_prefetch((const char *)at + i);
}

static const char *const levo_incomplete_names[] = {
    "", "no_request", "no_response", "request_gap", "response_gap", "request_cut", "response_cut",
    "ambiguous", "evicted", "unsampled_body", "mid_stream", "reset_stream", "still_open"};
static const char *const levo_anomaly_names[] = {
    "length_and_chunked", "lengths_differ", "bad_length", "bad_chunk", "bare_lf", "folded", "bad_field",
    "bad_transfer_coding", "bad_status", "head_cut"};
static const char levo_address_digits[] = "0123456789abcdef";
#endif
