"""The state machine of one direction of an HTTP/1 connection, as data: for the documentation and its test."""

cdef extern from "levo/engine/http1/states_text.h":
    ctypedef struct Word "levo_http1_word":
        const char* name
        const char* text

    ctypedef struct Line "levo_http1_line":
        const char* origin "from"
        const char* event
        const char* target "to"

    const Word[9] STATES "levo_http1_states"
    const Word[14] EVENTS "levo_http1_events"
    const Line[1] LINES "levo_http1_lines"
    int STATE_COUNT "LEVO_HTTP1_STATE_COUNT"
    int EVENT_COUNT "LEVO_HTTP1_EVENT_COUNT"
    int LINE_COUNT "LEVO_HTTP1_LINES"


def states() -> dict:
    """The states, in the order of their numbers, each with what is read in it."""
    return {STATES[i].name.decode("ascii"): STATES[i].text.decode("ascii") for i in range(STATE_COUNT)}


def events() -> dict:
    """What moves a direction on, each with its meaning."""
    return {EVENTS[i].name.decode("ascii"): EVENTS[i].text.decode("ascii") for i in range(EVENT_COUNT)}


def transitions() -> list:
    """All transitions, as (state, event, next state)."""
    return [
        (LINES[i].origin.decode("ascii"), LINES[i].event.decode("ascii"), LINES[i].target.decode("ascii"))
        for i in range(LINE_COUNT)
    ]
