/* Names of attributes that requests and responses share. */
#ifndef LEVO_ENCODE_OTLP_H
#define LEVO_ENCODE_OTLP_H
#include "levo/engine/encode/otlp_attributes.h"

/* As long as ``write_fields`` may read. */
static const char levo_request_header[32] = "http.request.header.";
static const char levo_response_header[32] = "http.response.header.";
static const char levo_request_trailer[32] = "levo.http.request.trailer.";
static const char levo_response_trailer[32] = "levo.http.response.trailer.";

#define LEVO_KEYS(side) { \
    LEVO_NAME("http." side ".body.size"), LEVO_NAME("levo.http." side ".body.size"), \
    LEVO_NAME("levo.http." side ".body"), LEVO_NAME("levo.http." side ".body.truncated"), \
    LEVO_NAME("levo.http." side ".body.missing_bytes"), LEVO_NAME("levo.http." side ".data_messages"), \
    LEVO_NAME("levo.http." side ".data_message_bytes"), LEVO_NAME("levo.http." side ".text_messages"), \
    LEVO_NAME("levo.http." side ".control_frames") }
static const levo_attribute_name levo_request_keys[] = LEVO_KEYS("request");
static const levo_attribute_name levo_response_keys[] = LEVO_KEYS("response");
#endif
