/* Classes of octets in heads (RFC 9110 section 5.6.2, RFC 9112 section 2). */
#ifndef LEVO_HTTP1_HEAD_H
#define LEVO_HTTP1_HEAD_H
#include <stdint.h>
#include <string.h>
static const unsigned char levo_token[256] = {
    ['!']=1,['#']=1,['$']=1,['%']=1,['&']=1,['\'']=1,['*']=1,['+']=1,['-']=1,['.']=1,['^']=1,['_']=1,
    ['`']=1,['|']=1,['~']=1,
    ['0']=1,['1']=1,['2']=1,['3']=1,['4']=1,['5']=1,['6']=1,['7']=1,['8']=1,['9']=1,
    ['A']=1,['B']=1,['C']=1,['D']=1,['E']=1,['F']=1,['G']=1,['H']=1,['I']=1,['J']=1,['K']=1,['L']=1,['M']=1,
    ['N']=1,['O']=1,['P']=1,['Q']=1,['R']=1,['S']=1,['T']=1,['U']=1,['V']=1,['W']=1,['X']=1,['Y']=1,['Z']=1,
    ['a']=1,['b']=1,['c']=1,['d']=1,['e']=1,['f']=1,['g']=1,['h']=1,['i']=1,['j']=1,['k']=1,['l']=1,['m']=1,
    ['n']=1,['o']=1,['p']=1,['q']=1,['r']=1,['s']=1,['t']=1,['u']=1,['v']=1,['w']=1,['x']=1,['y']=1,['z']=1,
};
static const char *const levo_methods[] = {
    "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE",
    "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "SEARCH", "REPORT",
    "MERGE", "CHECKOUT", "CHECKIN", "MKACTIVITY", "MKCALENDAR", "NOTIFY", "SUBSCRIBE",
    "UNSUBSCRIBE", "PURGE", "LINK", "UNLINK", "BIND", "UNBIND", "REBIND", "ACL",
    "VERSION-CONTROL", "UNCHECKOUT", "UPDATE", "LABEL", "BASELINE-CONTROL", "ORDERPATCH",
    "QUERY", "M-SEARCH", "SOURCE", 0 };
static const unsigned char levo_method_length[] = {
    3, 4, 3, 6, 4, 7, 5, 7, 5, 8, 9, 5, 4, 4, 4, 6, 6, 6, 5, 8, 7, 10, 10, 6, 9, 11, 5, 4, 6, 4, 6, 6,
    3, 15, 10, 6, 5, 16, 10, 5, 8, 6 };

/* CRs in a head; far more than it can have when it holds a NUL or a folded line. Sixteen octets at a
   time with the compiler's vector extension (GCC and Clang, any processor). */
typedef uint8_t levo_octets __attribute__((vector_size(16)));

static uint32_t levo_count_odd(const uint8_t *data, uint32_t length) {
    uint32_t count = 0, odd = 0, at = 0, block, i;
    levo_octets bad = {0}, here, next, returns;
    uint64_t halves[2];
    while (at + 17 <= length) {
        returns = (levo_octets){0};
        for (block = 0; block < 255 && at + 17 <= length; block++, at += 16) {
            memcpy(&here, data + at, 16);
            memcpy(&next, data + at + 1, 16);
            returns -= (levo_octets)(here == 13);
            bad |= (levo_octets)(here == 0) | ((levo_octets)(here == 10)
                & ((levo_octets)(next == 32) | (levo_octets)(next == 9)));
        }
        for (i = 0; i < 16; i++) count += returns[i];
    }
    memcpy(halves, &bad, 16);
    odd = (halves[0] | halves[1]) != 0;
    for (; at < length; at++) {
        uint8_t octet = data[at], after = at + 1 < length ? data[at + 1] : 0;
        count += octet == 13;
        odd |= (octet == 0) | ((octet == 10) & ((after == 32) | (after == 9)));
    }
    return odd ? 0xFFFFFFFFu : count;
}
#endif
