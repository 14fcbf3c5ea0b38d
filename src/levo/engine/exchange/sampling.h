/* What the segments of a path are made of, octet by octet. */
#ifndef LEVO_EXCHANGE_SAMPLING_H
#define LEVO_EXCHANGE_SAMPLING_H
#include <stdint.h>
#include <string.h>
/* Of a path segment's octet: digits add up in the low half, '@' shows above it. */
static const unsigned char levo_segment_octet[256] = {
    ['0']=1,['1']=1,['2']=1,['3']=1,['4']=1,['5']=1,['6']=1,['7']=1,['8']=1,['9']=1, ['@']=64,
};
/* Up to seven octets as a number; with their count, no two texts have the same. */
static uint64_t levo_few_octets(const uint8_t *data, uint32_t length) {
    uint32_t low, high;
    if (length < 4) return data[0] | (uint32_t)data[length >> 1] << 8 | (uint32_t)data[length - 1] << 16;
    memcpy(&low, data, 4);
    memcpy(&high, data + length - 4, 4);
    return low | (uint64_t)high << 32;
}
#endif
