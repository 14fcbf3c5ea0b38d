# Packet sockets of which each frame goes to exactly one (PACKET_FANOUT, packet(7)): how a ring is replaced by another
# without a frame lost or seen twice. A program says which member gets the frame; replacing it is atomic.

cdef extern from *:
    """
    #include <arpa/inet.h>
    #include <linux/filter.h>
    #include <linux/if_ether.h>
    #include <linux/if_packet.h>
    #include <string.h>
    #include <sys/socket.h>

    /* Headers of older systems lack some of these. */
    #define LEVO_FANOUT_CBPF 6
    #define LEVO_FANOUT_DATA 22
    #define LEVO_FANOUT_UNIQUE_ID 0x2000
    #define LEVO_FANOUT_IGNORE_OUTGOING 0x4000
    #define LEVO_QUIET_PROTOCOL 0x88B5      /* IEEE Std 802: for local experiments */

    static int levo_return(int fd, int option, int level, unsigned value) {
        struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, value);
        struct sock_fprog program = {1, &code};
        return setsockopt(fd, level, option, &program, sizeof(program));
    }
    static int levo_fanout_join(int fd, int group, int ignore_outgoing) {
        int flags = (ignore_outgoing ? LEVO_FANOUT_IGNORE_OUTGOING : 0) | (group < 0 ? LEVO_FANOUT_UNIQUE_ID : 0);
        int wanted = (LEVO_FANOUT_CBPF | flags) << 16 | (group < 0 ? 0 : group), joined = 0;
        socklen_t size = sizeof(joined);
        if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &wanted, sizeof(wanted)) != 0) return -1;
        if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &joined, &size) != 0) return -1;
        return joined & 0xFFFF;
    }
    static int levo_fanout_steer(int fd, unsigned member) {
        return levo_return(fd, LEVO_FANOUT_DATA, SOL_PACKET, member);
    }
    static int levo_listen_shut(int fd) {
        struct sockaddr_ll address;
        socklen_t size = sizeof(address);
        memset(&address, 0, sizeof(address));
        if (levo_return(fd, SO_ATTACH_FILTER, SOL_SOCKET, 0) != 0) return -1;
        if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) return -1;
        address.sll_family = AF_PACKET;
        address.sll_protocol = htons(ETH_P_ALL);
        return bind(fd, (struct sockaddr *)&address, sizeof(address));
    }
    """
    # An Ethernet protocol that nobody speaks: what is bound to it captures nothing.
    int QUIET_PROTOCOL "LEVO_QUIET_PROTOCOL"
    # Bind *fd* to all protocols, with a filter that passes nothing. 0, or -1.
    int listen_shut "levo_listen_shut"(int fd) nogil
    # Join *group*, or a new one for -1; its number, or -1.
    int fanout_join "levo_fanout_join"(int fd, int group, int ignore_outgoing) nogil
    # Let all frames go to the member that joined as number *member* (from 0). 0, or -1.
    int fanout_steer "levo_fanout_steer"(int fd, unsigned member) nogil
