/* The static table and the Huffman code (RFC 7541 appendices A and B). */
#ifndef LEVO_HTTP2_HPACK_H
#define LEVO_HTTP2_HPACK_H
typedef struct { const char *name, *value; unsigned char name_length, value_length; } levo_hpack_static;
#define LEVO_E(n, v) { n, v, sizeof(n) - 1, sizeof(v) - 1 }
/* RFC 7541 appendix A */
static const levo_hpack_static levo_static_fields[61] = {
    LEVO_E(":authority", ""), LEVO_E(":method", "GET"), LEVO_E(":method", "POST"), LEVO_E(":path", "/"),
    LEVO_E(":path", "/index.html"), LEVO_E(":scheme", "http"), LEVO_E(":scheme", "https"),
    LEVO_E(":status", "200"), LEVO_E(":status", "204"), LEVO_E(":status", "206"),
    LEVO_E(":status", "304"), LEVO_E(":status", "400"), LEVO_E(":status", "404"),
    LEVO_E(":status", "500"), LEVO_E("accept-charset", ""), LEVO_E("accept-encoding", "gzip, deflate"),
    LEVO_E("accept-language", ""), LEVO_E("accept-ranges", ""), LEVO_E("accept", ""),
    LEVO_E("access-control-allow-origin", ""), LEVO_E("age", ""), LEVO_E("allow", ""),
    LEVO_E("authorization", ""), LEVO_E("cache-control", ""), LEVO_E("content-disposition", ""),
    LEVO_E("content-encoding", ""), LEVO_E("content-language", ""), LEVO_E("content-length", ""),
    LEVO_E("content-location", ""), LEVO_E("content-range", ""), LEVO_E("content-type", ""),
    LEVO_E("cookie", ""), LEVO_E("date", ""), LEVO_E("etag", ""), LEVO_E("expect", ""),
    LEVO_E("expires", ""), LEVO_E("from", ""), LEVO_E("host", ""), LEVO_E("if-match", ""),
    LEVO_E("if-modified-since", ""), LEVO_E("if-none-match", ""), LEVO_E("if-range", ""),
    LEVO_E("if-unmodified-since", ""), LEVO_E("last-modified", ""), LEVO_E("link", ""),
    LEVO_E("location", ""), LEVO_E("max-forwards", ""), LEVO_E("proxy-authenticate", ""),
    LEVO_E("proxy-authorization", ""), LEVO_E("range", ""), LEVO_E("referer", ""),
    LEVO_E("refresh", ""), LEVO_E("retry-after", ""), LEVO_E("server", ""), LEVO_E("set-cookie", ""),
    LEVO_E("strict-transport-security", ""), LEVO_E("transfer-encoding", ""), LEVO_E("user-agent", ""),
    LEVO_E("vary", ""), LEVO_E("via", ""), LEVO_E("www-authenticate", ""),
};
#undef LEVO_E
/* RFC 7541 appendix B: the lengths; its codes follow from them, ascending by length, then by symbol */
static const unsigned char levo_code_lengths[257] = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
};
#endif
