# What the layers of one frame share: where decoding stands, and what comes next.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef enum:
    MOST_VXLAN_PORTS = 16
    MOST_GUESSES = 8


ctypedef struct PortGuess:
    # A UDP port whose content looks like VXLAN, and how many frames did.
    uint64_t frames
    uint16_t port


ctypedef struct Tunnels:
    uint16_t vxlan_ports[MOST_VXLAN_PORTS]    # named by the user, besides the usual ones
    uint32_t vxlan_port_count
    uint32_t guess_count
    PortGuess guesses[MOST_GUESSES]
    uint64_t guesses_refused                  # frames to further ports


ctypedef struct Cursor:
    const uint8_t* at         # next octet to read
    const uint8_t* end        # behind the last octet that is present
    uint32_t cut              # octets promised behind ``end`` that the capture does not hold
    uint32_t type             # EtherType of LAYER_TYPE, IP protocol of LAYER_PROTOCOL
    uint32_t steps            # layers that may still be opened: bounds nesting
    uint16_t interface        # tells apart copies of one packet seen at several places
    uint8_t inside_ip         # an IP header was read
    uint64_t network          # keyed hash of what encloses the packet; 0: nothing that tells networks apart
    uint64_t seed
    Tunnels* tunnels


cdef enum Network:
    # What tells networks apart: two of them may use the same addresses.
    NETWORK_VLAN = 1          # VLAN identifier
    NETWORK_VNI = 2           # VXLAN
    NETWORK_KEY = 3           # GRE
    NETWORK_LABEL = 4         # MPLS, the last label of the stack
    NETWORK_SERVICE = 5       # I-SID of provider backbone bridges
    NETWORK_GENEVE = 6        # VNI of Geneve: another overlay may use the same number


cdef enum Layer:
    # Outcomes: decoding ends, and one counter of Stats moves.
    DONE_SEGMENT = 0          # a TCP segment
    DONE_NOT_IP = 1
    DONE_NOT_TCP = 2
    DONE_MALFORMED = 3
    DONE_UNSUPPORTED_LINK = 4
    DONE_FRAGMENT_JOINED = 5
    DONE_FRAGMENT_LOST = 6
    # The layer that starts at ``Cursor.at``.
    LAYER_IPV4 = 16
    LAYER_IPV6 = 17
    LAYER_PROTOCOL = 18       # what ``Cursor.type`` says, as an IP protocol number
    LAYER_LINK = 32           # every value from here on belongs to levo.engine.net.link
    LAYER_ETHERNET = 32
    LAYER_TYPE = 33           # what ``Cursor.type`` says, as an EtherType
    LAYER_IP = 34             # IPv4 or IPv6, told by its first four bits
    LAYER_LLC = 35            # IEEE 802.2
    LAYER_MPLS = 36
    LAYER_PPP = 37            # at the protocol field
    LAYER_PPP_FRAMED = 38     # at the address and control fields, where present
    LAYER_80211 = 39
    LAYER_RADIOTAP = 40


cdef enum Understated:
    LEAST_SEGMENT = 536       # octets of a segment that a large send is split into (RFC 9293 section 3.7.1)
    MOST_HEADERS = 200        # octets of headers that the segments have in common


cdef enum Steps:
    MOST_LAYERS = 64          # headers opened in one frame before it counts as malformed


cdef inline void enter_network(Cursor* cursor, Network kind, uint32_t number) noexcept nogil:
    """What follows is in network *number* of that kind, inside of the networks around it."""
    cdef uint64_t mixed = cursor.network ^ cursor.seed ^ (<uint64_t>kind << 32 | number)
    mixed = (mixed ^ mixed >> 32) * <uint64_t>0xd6e8feb86659fd93
    mixed = (mixed ^ mixed >> 29) * <uint64_t>0x9e3779b97f4a7c15
    mixed ^= mixed >> 32
    cursor.network = mixed if mixed else 1


cdef inline uint32_t present(const Cursor* cursor) noexcept nogil:
    """Octets that may be read at ``cursor.at``."""
    return <uint32_t>(cursor.end - cursor.at)


cdef inline bint understated(const Cursor* cursor, uint32_t length) noexcept nogil:
    """Whether a tunnel's header says the *length* of one segment where the frame has that of several.

    A large send in a tunnel that the network card will split says so (GSO_PARTIAL of Linux). No trailer is as long.
    """
    return length >= LEAST_SEGMENT and present(cursor) + cursor.cut >= 2 * length - MOST_HEADERS


cdef inline void narrow(Cursor* cursor, uint32_t length) noexcept nogil:
    """The layer at ``cursor.at`` says that it is *length* octets long: what follows is padding.

    A layer cannot be longer than the one around it; a length that says so is ignored (it is wrong, or the
    octets were cut before they reached the capture, and then the next sequence number shows the gap).
    """
    cdef uint32_t here = present(cursor)
    if length <= here:
        cursor.end = cursor.at + length
        cursor.cut = 0
    elif length - here < cursor.cut:
        cursor.cut = length - here
