/* Escapes of JSON strings (RFC 8259 section 7), digits of base64 (RFC 4648). */
#ifndef LEVO_ENCODE_JSONL_H
#define LEVO_ENCODE_JSONL_H

#define LEVO_SHORT(octet) { '\\', octet, 0, 0, 0, 0, 0, 2 }
#define LEVO_LONG(high, low) { '\\', 'u', '0', '0', high, low, 0, 6 }
static const char levo_escapes[0x5D][8] = {
    LEVO_LONG('0', '0'), LEVO_LONG('0', '1'), LEVO_LONG('0', '2'), LEVO_LONG('0', '3'),
    LEVO_LONG('0', '4'), LEVO_LONG('0', '5'), LEVO_LONG('0', '6'), LEVO_LONG('0', '7'),
    LEVO_LONG('0', '8'), LEVO_SHORT('t'), LEVO_SHORT('n'), LEVO_LONG('0', 'b'),
    LEVO_LONG('0', 'c'), LEVO_SHORT('r'), LEVO_LONG('0', 'e'), LEVO_LONG('0', 'f'),
    LEVO_LONG('1', '0'), LEVO_LONG('1', '1'), LEVO_LONG('1', '2'), LEVO_LONG('1', '3'),
    LEVO_LONG('1', '4'), LEVO_LONG('1', '5'), LEVO_LONG('1', '6'), LEVO_LONG('1', '7'),
    LEVO_LONG('1', '8'), LEVO_LONG('1', '9'), LEVO_LONG('1', 'a'), LEVO_LONG('1', 'b'),
    LEVO_LONG('1', 'c'), LEVO_LONG('1', 'd'), LEVO_LONG('1', 'e'), LEVO_LONG('1', 'f'),
    ['"'] = LEVO_SHORT('"'), ['\\'] = LEVO_SHORT('\\') };
static const char levo_base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
#endif
