/* Calls of packet sockets (packet(7)). */
#ifndef LEVO_SENSOR_CAPTURE_FANOUT_H
#define LEVO_SENSOR_CAPTURE_FANOUT_H
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
#endif
