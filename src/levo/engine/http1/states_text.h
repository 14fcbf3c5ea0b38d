/* The state machine of states.h as tables of text. */
#ifndef LEVO_HTTP1_STATES_TEXT_H
#define LEVO_HTTP1_STATES_TEXT_H
#include "levo/engine/http1/states.h"

static const levo_http1_word levo_http1_states[] = { LEVO_HTTP1_STATES(LEVO_HTTP1_TEXT) };
static const levo_http1_word levo_http1_events[] = { LEVO_HTTP1_EVENTS(LEVO_HTTP1_TEXT) };
#define LEVO_HTTP1_ROW(from, event, to) {#from, #event, #to},
static const levo_http1_line levo_http1_lines[] = { LEVO_HTTP1_TRANSITIONS(LEVO_HTTP1_ROW) };
#define LEVO_HTTP1_LINES ((int)(sizeof(levo_http1_lines) / sizeof(levo_http1_lines[0])))
#endif
