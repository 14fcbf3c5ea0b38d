/* Digits of lower-case hexadecimal. */
#ifndef LEVO_ENCODE_HEX_H
#define LEVO_ENCODE_HEX_H
#include <stdint.h>

#define LEVO_NO_HEX 0x80
static const uint8_t levo_hex[256] = {
    [0 ... '0' - 1] = LEVO_NO_HEX, ['9' + 1 ... 'a' - 1] = LEVO_NO_HEX, ['f' + 1 ... 255] = LEVO_NO_HEX,
    ['0'] = 0, ['1'] = 1, ['2'] = 2, ['3'] = 3, ['4'] = 4, ['5'] = 5, ['6'] = 6, ['7'] = 7, ['8'] = 8,
    ['9'] = 9, ['a'] = 10, ['b'] = 11, ['c'] = 12, ['d'] = 13, ['e'] = 14, ['f'] = 15
};
#endif
