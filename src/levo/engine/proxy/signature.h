/* What a header of the PROXY protocol, version 2, begins with. */
#ifndef LEVO_PROXY_SIGNATURE_H
#define LEVO_PROXY_SIGNATURE_H
static const unsigned char levo_proxy_signature[12] = {13, 10, 13, 10, 0, 13, 10, 'Q', 'U', 'I', 'T', 10};
#endif
