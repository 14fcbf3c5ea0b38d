/* Names of attributes that requests and responses share. */
#ifndef LEVO_ENCODE_OTLP_H
#define LEVO_ENCODE_OTLP_H

/* As long as ``write_fields`` may read. */
static const char levo_request_header[32] = "http.request.header.";
static const char levo_response_header[32] = "http.response.header.";
static const char levo_request_trailer[32] = "levo.http.request.trailer.";
static const char levo_response_trailer[32] = "levo.http.response.trailer.";

#define LEVO_KEYS(side) { \
    "http." side ".body.size", "levo.http." side ".body.size", "levo.http." side ".body", \
    "levo.http." side ".body.truncated", "levo.http." side ".body.missing_bytes", \
    "levo.http." side ".data_messages", "levo.http." side ".data_message_bytes", \
    "levo.http." side ".text_messages", "levo.http." side ".control_frames" }
static const char *const levo_request_keys[] = LEVO_KEYS("request");
static const char *const levo_response_keys[] = LEVO_KEYS("response");
#endif
