# Packet sockets of which each frame goes to exactly one (PACKET_FANOUT, packet(7)): how a ring is replaced by another
# without a frame lost or seen twice. A program says which member gets the frame; replacing it is atomic.

cdef extern from "levo/sensor/capture/fanout.h":
    # An Ethernet protocol that nobody speaks: what is bound to it captures nothing.
    int QUIET_PROTOCOL "LEVO_QUIET_PROTOCOL"
    # Bind *fd* to all protocols, with a filter that passes nothing. 0, or -1.
    int listen_shut "levo_listen_shut"(int fd) nogil
    # Join *group*, or a new one for -1; its number, or -1.
    int fanout_join "levo_fanout_join"(int fd, int group, int ignore_outgoing) nogil
    # Let all frames go to the member that joined as number *member* (from 0). 0, or -1.
    int fanout_steer "levo_fanout_steer"(int fd, unsigned member) nogil
