/* How protocols that are not read begin. */
#ifndef LEVO_BANNER_H
#define LEVO_BANNER_H

typedef struct {
    const char *text;
    unsigned char length;
    unsigned char name; /* enum Named of core/ports.pxd */
} levo_beginning;

static const levo_beginning levo_beginnings[] = {
    {"SSH-", 4, 16},  /* RFC 4253 section 4.2 */
    {"220 ", 4, 17},  /* FTP and SMTP: RFC 959 section 5.4, RFC 5321 section 4.2 */
    {"220-", 4, 17},
    {"* OK", 4, 18},  /* IMAP: RFC 9051 section 7.1.1 */
    {"+OK ", 4, 19},  /* POP3: RFC 1939 section 4; Redis says no more than +OK */
    {"-ERR ", 5, 21}, /* Redis */
};

enum { LEVO_BEGINNINGS = sizeof(levo_beginnings) / sizeof(levo_beginnings[0]) };

#endif
