"""The engine: frames in, finished exchanges out. It opens nothing and reads no clock."""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free
from libc.string cimport memset

from ipaddress import ip_address
import os

from levo.engine.core.allocator cimport the_pool
from levo.engine.exchange.batch cimport Batch, batch_adopt
from levo.engine.tcp.connections cimport connections_finish, connections_tick, table_free, table_init, take_packet
from levo.engine.core.exchange cimport Facts, address_text, client_family, exchange_facts, exchange_free, prefetch
from levo.engine.net.layer cimport MOST_VXLAN_PORTS, Tunnels
from levo.engine.net.frame cimport decode_frame, decoder_finish, decoder_free, decoder_init, decoder_tick
from levo.engine.core.memory cimport charge_reserve, leave_spares, set_limit
from levo.engine.core.output cimport Text
from levo.engine.core.ports cimport ports_list, ports_new
from levo.engine.exchange.hops cimport hops_finish, hops_free, hops_init, hops_tick
from levo.engine.exchange.sampling cimport sampler_free, sampler_init, sampler_set_rate
from levo.engine.core.source cimport FrameSource, KeySource
from levo.engine.core.state cimport LONGEST_PAUSE_NS, EngineState
from levo.engine.tls.records cimport TlsTable, tls_delete, tls_new, tls_protocol
from levo.engine.websocket.parser cimport websocket_protocol
from levo.engine.fastcgi.parser cimport fastcgi_protocol
from levo.engine.http1.parser cimport http1_protocol
from levo.engine.http2.parser cimport http2_protocol
from levo.engine.proto.dispatch cimport add_protocol
from levo.engine.proxy.parser cimport proxy_protocol
from levo.engine.tls.endpoints cimport TLS_OPEN, endpoints_list, outcomes_of
from levo.engine.tls.keys cimport KeyTable, Process, Secrets, keys_put
from levo.engine.core.types cimport (
    DROP_EVICTED,
    DROP_HOST_EXCLUDED,
    DROP_HOST_NOT_ALLOWED,
    DROP_IP_FILTER,
    DROP_MERGED_HOP,
    DROP_OWN_EXPORT,
    DROP_PATH_EXCLUDED,
    DROP_PATH_NOT_ALLOWED,
    DROP_RATE_LIMITED,
    DROP_URL_FILTER,
    Budget,
    Exchange,
    Frame,
    Packet,
)

# The protocols that are read. One that may look like another one comes before it.
add_protocol(proxy_protocol())
add_protocol(http2_protocol())
add_protocol(fastcgi_protocol())
add_protocol(http1_protocol())
add_protocol(tls_protocol())
add_protocol(websocket_protocol())

cdef enum:
    TICK_NS = 10_000_000
    MOST_FRAMES = 512           # asked for at once: what they finish is in memory until it is taken
    JUMP_NS = 1_000_000_000     # frames that are further from the clock move it only together
    RESERVE_PARTS = 32          # of the budget: one is left for what is given up
    ORDER_SHIFT = 5             # the order of connections by activity is exact to this part of quiet_ns

cdef enum:
    LATEST_NS = 0x7F00000000000000    # in the year 2259
    LONG_NS = 0x1000000000000000      # the engine's own clock begins so late that 1 is long ago, and 0 never

DROP_NAMES = {
    DROP_HOST_NOT_ALLOWED: "host_not_allowed",
    DROP_HOST_EXCLUDED: "host_excluded",
    DROP_PATH_NOT_ALLOWED: "path_not_allowed",
    DROP_PATH_EXCLUDED: "path_excluded",
    DROP_RATE_LIMITED: "rate_limited",
    DROP_EVICTED: "evicted",
    DROP_URL_FILTER: "url_filter",
    DROP_IP_FILTER: "ip_filter",
    DROP_OWN_EXPORT: "own_export",
    DROP_MERGED_HOP: "merged_hop",
}
"""Why an exchange never leaves the engine, by the number of the C enumeration ``Drop``."""


cdef void advance(EngineState* state, int64_t by_ns) noexcept nogil:
    # So much time has passed. At the end of all times the clock stands still.
    if by_ns > 0 and state.elapsed_ns < <int64_t>LATEST_NS:
        state.elapsed_ns += min(by_ns, <int64_t>LATEST_NS - state.elapsed_ns)


cdef inline void follow(Intake* intake, int64_t time_ns) noexcept nogil:
    """Let the engine's clock follow a frame's time. One frame with a strange clock moves nothing.

    A jump counts once three frames in a row agree on it, and then as far as the most careful of them says:
    a pause of the traffic ends with such a jump, and so does a step of the machine's clock. Which it was cannot
    be told from frames alone: where nobody ticks, up to an hour of it has passed for what waits.
    """
    cdef EngineState* state = intake.state
    cdef int64_t ahead = time_ns - state.now_ns
    if -JUMP_NS <= ahead <= JUMP_NS:
        if ahead > 0:
            state.now_ns = time_ns
            state.elapsed_ns += ahead
        intake.jumps = 0
    elif state.now_ns == 0:
        state.now_ns = time_ns
    else:
        jump(intake, time_ns, ahead > 0)


cdef void jump(Intake* intake, int64_t time_ns, bint forward) noexcept nogil:
    cdef EngineState* state = intake.state
    cdef int64_t to = time_ns
    cdef int i
    if intake.jumps and forward != intake.forward:
        intake.jumps = 0
    intake.forward = forward
    for i in range(intake.jumps):
        if (intake.jump_ns[i] < to) == forward:
            to = intake.jump_ns[i]
    if intake.jumps < 2:
        intake.jump_ns[intake.jumps] = time_ns
        intake.jumps += 1
        return
    intake.jump_ns[0] = intake.jump_ns[1]
    intake.jump_ns[1] = time_ns
    if forward and not state.ticked:
        advance(state, min(to - state.now_ns, <int64_t>LONGEST_PAUSE_NS))
    state.now_ns = to


cdef void pass_time(EngineState* state, int64_t now_ns, int64_t passed_ns) noexcept nogil:
    # Since the last tick, frames may have counted a part of it, or more: no second counts twice.
    if passed_ns < 0:
        advance(state, now_ns - state.now_ns if state.now_ns else 0)
    elif state.ticked:
        advance(state, passed_ns - (state.elapsed_ns - state.elapsed_tick_ns))
    state.ticked = passed_ns >= 0
    state.elapsed_tick_ns = state.elapsed_ns


cdef void on_frame(void* context, const Frame* frame) noexcept nogil:
    cdef Intake* intake = <Intake*>context
    cdef EngineState* state = intake.state
    cdef Packet packet
    cdef Frame placed
    if frame.time_ns < 0 or frame.time_ns > <int64_t>LATEST_NS:
        # So that no difference of two times overflows, whatever a capture file claims.
        placed = frame[0]
        placed.time_ns = 0 if frame.time_ns < 0 else <int64_t>LATEST_NS
        frame = &placed
    # What the link, IP and TCP headers say takes long enough for the beginning of the content to arrive.
    if frame.captured_length > 256:
        prefetch(frame.data + 64, 256)
    follow(intake, frame.time_ns)
    if decode_frame(&intake.decoder, frame, &packet):
        take_packet(state, &packet)
    if state.now_ns - state.last_tick_ns >= TICK_NS or state.now_ns < state.last_tick_ns:
        decoder_tick(&intake.decoder, state.now_ns)
        connections_tick(state, state.now_ns)
        if state.hops != NULL:
            hops_tick(state)


cdef inline bytes octets_of(Text text):
    return text.data[:text.length] if text.length else b""


cdef int ask_rules(void* context, const Exchange* exchange) noexcept with gil:
    # A rule that cannot be asked must not hide traffic: the exchange is kept.
    cdef Facts facts
    cdef char client[48]
    cdef char server[48]
    exchange_facts(exchange, &facts)
    client[address_text(exchange.client, client_family(exchange), client)] = 0
    server[address_text(exchange.server, exchange.family, server)] = 0
    try:
        return (<object>context)(
            octets_of(facts.method), octets_of(facts.host), octets_of(facts.path), octets_of(facts.target),
            client.decode("ascii"), exchange.client_port, server.decode("ascii"), exchange.server_port)
    except Exception:
        return 0


def _most_frames(entry):
    return -entry["frames"], entry["port"]


SECRET_LABELS = {
    b"CLIENT_RANDOM": 0,
    b"CLIENT_HANDSHAKE_TRAFFIC_SECRET": 1,
    b"SERVER_HANDSHAKE_TRAFFIC_SECRET": 2,
    b"CLIENT_TRAFFIC_SECRET_0": 3,
    b"SERVER_TRAFFIC_SECRET_0": 4,
}
"""Labels of a key log's lines (RFC 9850 section 2.2), by their number in the C enumeration ``SecretKind``."""


cdef void put_secret(
    void* context, const uint8_t* client_random, int kind, const uint8_t* secret, uint32_t length, uint32_t process
) noexcept nogil:
    cdef EngineState* state = <EngineState*>context
    keys_put((<TlsTable*>state.tls).keys, &state.budget, client_random, kind, secret, length, process)


cdef dict process_values(const Process* process):
    return {
        "process": process.id, "connections": process.connections, "open": process.outcomes[<int>TLS_OPEN],
        **{name: count for name, count in outcomes_of(process.outcomes).items() if count},
    }


cdef void take_secrets(Asking* asking) noexcept nogil:
    # A probe's ring must not fill up while no connection asks.
    if asking.take != NULL:
        asking.take(asking.source, put_secret, asking.state)


cdef void ask_secrets(void* context, bint again) noexcept nogil:
    cdef Asking* asking = <Asking*>context
    take_secrets(asking)
    if asking.engine != NULL and not again:
        ask_log(asking.engine)


cdef void ask_log(void* context) noexcept with gil:
    # What cannot be asked leaves connections unread; that is counted.
    cdef Engine engine = <Engine>context
    try:
        engine.add_secrets(engine.key_source())
    except Exception:
        return


cdef Batch take_all(EngineState* state):
    # Without a look at each exchange, as a batch takes them.
    cdef Batch batch = batch_adopt(state.ready_first, state.ready_last, state.ready_count, state.ready_bytes,
                                   state.budget.pool)
    state.budget.used -= state.ready_bytes
    charge_reserve(&state.budget, -state.budget.reserved)
    state.ready_first = state.ready_last = NULL
    state.ready_count = 0
    state.ready_bytes = 0
    return batch


cdef class Engine:
    """Rebuilds HTTP exchanges from link-layer frames.

    Sizes are octets, times nanoseconds since the Unix epoch. Not safe for two threads at once; the
    GIL is not held while frames are read. The same frames give the same exchanges in the same order.

    *traces_per_minute* bounds what is emitted over any sliding minute (0: no limit), shared fairly over
    endpoints; *endpoint_traces_per_minute* bounds each endpoint (< 0: no bound). *rules*, when given, is
    called once a request with ``(method, host, path, target, client, client_port, server, server_port)``,
    the first four as octets, and returns 0 to keep it or a number of ``DROP_NAMES``.

    After *idle_ns* without a packet a connection is given up; after *quiet_ns* already where nothing would be
    lost by it: it never carried a payload, or a side has ended and nothing is waited for.

    With *one_network*, addresses and ports alone make a connection; else VLAN tags, tunnel identifiers, GRE keys and
    MPLS labels tell networks apart that use the same addresses.

    *hops*: ``"link"`` or ``"merge"`` exchanges that are one request on its way through a proxy; None: neither.

    *vxlan_ports* are UDP ports of VXLAN besides 4789, 4790 and 8472, at most 16.
    """

    def __cinit__(
        self,
        *,
        max_memory_bytes: int = 256 << 20,
        max_message_bytes: int = 10_000_000,
        stream_timeout_ns: int = 10_000_000_000,
        keep_bodies: bool = True,
        max_head_bytes: int = 262_144,
        max_held_bytes: int = 8 << 20,
        max_pending: int = 1024,
        acked_gap_ns: int = 100_000_000,
        idle_ns: int = 86_400_000_000_000,
        quiet_ns: int = 300_000_000_000,
        linger_ns: int = 2_000_000_000,
        traces_per_minute: float = 0.0,
        endpoint_traces_per_minute: float = -1.0,
        rules=None,
        one_network: bool = False,
        vxlan_ports=(),
        hops: str | None = None,
    ):
        memset(&self.state, 0, sizeof(EngineState))
        set_limit(&self.state.budget, max_memory_bytes, max_memory_bytes // RESERVE_PARTS)
        self.state.budget.pool = the_pool()
        self.state.settings.max_message_bytes = min(max_message_bytes, 1 << 30)
        self.state.settings.stream_timeout_ns = stream_timeout_ns
        self.state.settings.keep_bodies = keep_bodies
        self.state.settings.max_head_bytes = max_head_bytes
        self.state.settings.max_held_bytes = max_held_bytes
        self.state.settings.max_pending = min(max_pending, 0xFFF0)
        self.state.settings.acked_gap_ns = min(acked_gap_ns, stream_timeout_ns)
        self.state.settings.idle_ns = idle_ns
        self.state.settings.quiet_ns = min(quiet_ns, idle_ns)
        self.state.settings.order_ns = self.state.settings.quiet_ns >> ORDER_SHIFT
        self.state.settings.linger_ns = linger_ns
        self.state.elapsed_ns = <int64_t>LONG_NS
        self.state.hash_seed = int.from_bytes(os.urandom(8), "little")
        self.state.one_network = one_network
        self.intake.state = &self.state
        self.stride = 64
        decoder_init(
            &self.intake.decoder, &self.state.budget, &self.state.stats, int.from_bytes(os.urandom(8), "little"))
        if len(vxlan_ports) > MOST_VXLAN_PORTS:
            raise ValueError(f"more than {MOST_VXLAN_PORTS} VXLAN ports")
        for port in vxlan_ports:
            self.intake.decoder.tunnels.vxlan_ports[self.intake.decoder.tunnels.vxlan_port_count] = port
            self.intake.decoder.tunnels.vxlan_port_count += 1
        if hops not in (None, "link", "merge"):
            raise ValueError(f"hops: {hops!r} is neither link nor merge")
        if hops is not None and not hops_init(&self.state, hops == "merge"):
            raise MemoryError("table of hops")
        if not table_init(&self.state):
            raise MemoryError("connection table")
        self.state.ports = ports_new()
        if self.state.ports == NULL:
            raise MemoryError("port table")
        self.state.tls = tls_new(max(1024, min(max_memory_bytes // 16 // sizeof(Secrets), 1 << 20)))
        if self.state.tls == NULL:
            raise MemoryError("endpoint table")
        if not sampler_init(&self.sampler, traces_per_minute, endpoint_traces_per_minute):
            raise MemoryError("endpoint table")
        self.rules = rules
        if rules is not None:
            self.sampler.filter_context = <void*>rules
            self.sampler.request_filter = ask_rules
        if rules is not None or traces_per_minute > 0 or endpoint_traces_per_minute >= 0:
            self.state.sampler = &self.sampler

    def __dealloc__(self):
        cdef Exchange* exchange
        cdef Exchange* following
        if self.state.buckets == NULL:
            return
        self.state.sampler = NULL
        if self.state.tls != NULL:
            (<TlsTable*>self.state.tls).ask = NULL    # nobody is asked behind the end
        sampler_free(&self.sampler)
        free(self.state.ports)
        table_free(&self.state)
        hops_free(&self.state)
        tls_delete(<TlsTable*>self.state.tls, &self.state.budget)
        decoder_free(&self.intake.decoder)
        exchange = self.state.ready_first
        while exchange != NULL:
            following = exchange.next
            exchange_free(&self.state.budget, exchange)
            exchange = following
        leave_spares(self.state.budget.pool, &self.state.budget.spares)

    def feed(self, frames, int link_type=1):
        """Read ``(time_ns, octets, wire_length)`` tuples in capture order (*link_type*: LINKTYPE_*)."""
        cdef Frame frame
        cdef const uint8_t[::1] view
        for time_ns, octets, wire_length in frames:
            frame.captured_length = len(octets)
            frame.wire_length = wire_length if wire_length is not None else len(octets)
            frame.time_ns = time_ns
            frame.link_type = link_type
            frame.interface = 0
            if frame.captured_length:
                view = octets
                frame.data = &view[0]
            else:
                frame.data = NULL
            on_frame(&self.intake, &frame)

    def pump(self, FrameSource source not None, int limit=4096, int timeout_ms=100) -> int:
        """Read at most *limit* frames from *source*; see ``FrameSource.pump`` for the result.

        Returns early when finished exchanges take an eighth of the budget, or what was given up half of its reserve:
        only ``take`` makes room then.
        """
        cdef int64_t most = self.state.budget.limit // 8 if self.state.budget.limit else INT64_MAX
        cdef int passed = 0
        cdef int count = 0
        cdef int asked
        cdef int64_t before, reserved_before
        cdef const Budget* budget = &self.state.budget
        with nogil:
            while passed < limit and (
                passed == 0 or self.state.ready_bytes < most and budget.reserved <= budget.reserve // 2
            ):
                asked = self.stride if self.stride < limit - passed else limit - passed
                before = self.state.ready_bytes
                reserved_before = budget.reserved
                take_secrets(&self.asking)
                count = source.pump(on_frame, &self.intake, asked, 0 if passed else timeout_ms)
                if count < 0:
                    break
                passed += count
                # A frame of tiny messages finishes hundreds of exchanges: fewer such frames at a time.
                if self.state.ready_bytes - before > most // 2 or (
                    budget.reserved - reserved_before > budget.reserve // 4
                ):
                    self.stride = self.stride // 2 if self.stride > 1 else 1
                elif self.stride < MOST_FRAMES:
                    self.stride *= 2
                if count < asked:
                    break
        return count if passed == 0 else passed

    def tick(self, int64_t now_ns, int64_t passed_ns=-1):
        """Tell the time: gives up holes, connections and fragments that were waited for long enough.

        *now_ns* is for time stamps, and may be set back or ahead. *passed_ns* is how much time has passed since
        the last tick, by a clock that nobody sets; without it, as much as *now_ns* says.
        """
        with nogil:
            take_secrets(&self.asking)
            self.intake.jumps = 0
            pass_time(&self.state, now_ns, passed_ns)
            if now_ns > self.state.now_ns or now_ns < self.state.now_ns - JUMP_NS:
                self.state.now_ns = now_ns
            decoder_tick(&self.intake.decoder, now_ns)
            connections_tick(&self.state, now_ns)
            if self.state.hops != NULL:
                hops_tick(&self.state)

    def finish(self):
        """The capture has ended: report every exchange that is still open. Legal twice."""
        with nogil:
            decoder_finish(&self.intake.decoder)
            connections_finish(&self.state)
            hops_finish(&self.state)

    def set_host_addresses(self, addresses) -> None:
        """The addresses of this host, as text: exchanges say from then on whether they are inbound or outbound."""
        cdef list own = [ip_address(each) for each in addresses]
        cdef bytes packed = b"".join(
            [(bytes(10) + b"\xff\xff" if each.version == 4 else b"") + each.packed for each in own])
        self.hosts = packed
        self.state.hosts = <const uint8_t*>packed if packed else NULL
        self.state.host_count = <uint32_t>(len(packed) // 16)

    @property
    def ready(self) -> int:
        """Finished exchanges that wait for ``take``."""
        return self.state.ready_count

    @property
    def now_ns(self) -> int:
        """The engine's clock: the latest time of a tick, or that frames agree on."""
        return self.state.now_ns

    @property
    def memory_used_bytes(self) -> int:
        """Octets taken from the budget at the moment, ready exchanges included."""
        return self.state.budget.used

    def set_external(self, int64_t held_bytes) -> None:
        """Report octets that are held outside (export queues) and count against the same budget."""
        self.state.budget.external = held_bytes

    def set_policy(self, *, traces_per_minute: float, endpoint_traces_per_minute: float = -1.0, rules=None):
        """Replace the budget and the rules while capture goes on (see the class for their meaning)."""
        sampler_set_rate(&self.sampler, traces_per_minute, endpoint_traces_per_minute)
        self.sampler.request_filter = NULL
        self.rules = rules
        if rules is not None:
            self.sampler.filter_context = <void*>rules
            self.sampler.request_filter = ask_rules
        self.state.sampler = NULL
        if rules is not None or traces_per_minute > 0 or endpoint_traces_per_minute >= 0:
            self.state.sampler = &self.sampler

    @property
    def ready_bytes(self) -> int:
        """Octets that the finished exchanges hold."""
        return self.state.ready_bytes

    def take(self, size_t limit=0, int64_t limit_bytes=0) -> Batch:
        """Hand over finished exchanges in order of completion, at most *limit* (0: all).

        With *limit_bytes*, no further one is added once the batch holds that many octets.
        """
        cdef Exchange* first = self.state.ready_first
        cdef Exchange* last = first
        cdef size_t count
        cdef int64_t octets = 0
        cdef int64_t reserved = 0
        if first == NULL:
            return batch_adopt(NULL, NULL, 0, 0, NULL)
        octets = first.footprint
        reserved = first.footprint if first.reserved else 0
        count = 1
        if (limit == 0 or self.state.ready_count <= limit) and (
            limit_bytes == 0 or self.state.ready_bytes <= limit_bytes
        ):
            return take_all(&self.state)
        while last.next != NULL and (limit == 0 or count < limit) and (
            limit_bytes == 0 or octets < limit_bytes
        ):
            last = last.next
            octets += last.footprint
            reserved += last.footprint if last.reserved else 0
            count += 1
        self.state.ready_first = last.next
        if last.next == NULL:
            self.state.ready_last = NULL
        last.next = NULL
        self.state.ready_count -= <uint32_t>count
        self.state.ready_bytes -= octets
        self.state.budget.used -= octets
        charge_reserve(&self.state.budget, -reserved)
        return batch_adopt(first, last, count, octets, self.state.budget.pool)

    def ports(self, most: int = 16) -> list:
        """What came by, by server port: the *most* with the most packets, then all others under port None.

        Dicts of ``port``, ``packets``, ``bytes`` (TCP payload), ``connections``, ``exchanges`` (finished, kept or not),
        and ``protocols`` (of "http/1", "http/2", "websocket", "fastcgi", "tls", "other", and names of what is not read,
        as "ssh"; empty as long as none is known).
        """
        return ports_list(self.state.ports, most)

    def unnamed_tunnels(self) -> list:
        """UDP ports whose datagrams look like VXLAN and are not opened, those with the most frames first.

        Dicts of ``port`` and ``frames``; an entry with port None sums the ports that found no room.
        """
        cdef uint32_t i
        cdef Tunnels* tunnels = &self.intake.decoder.tunnels
        cdef list found = [
            {"port": tunnels.guesses[i].port, "frames": tunnels.guesses[i].frames} for i in range(tunnels.guess_count)]
        found.sort(key=_most_frames)
        if tunnels.guesses_refused:
            found.append({"port": None, "frames": tunnels.guesses_refused})
        return found

    def encrypted(self) -> list:
        """What went by over TLS, by endpoint, most connections first: what stays hidden, and where.

        Dicts of ``server_address``, ``server_port``, ``server_name`` (SNI), ``alpn`` (the server's choice; the
        client's offers joined by commas where that is hidden), ``version`` ("1.3"), ``certificate_names``,
        ``connections``, ``decrypted_connections`` (those read with keys, at least for a time), ``unread`` (how many
        were not, or not to their end, by the reason's name in ``levo.ledger.TLS``), ``bytes`` (TCP payload),
        ``first_ns`` and ``last_ns``. Cumulative. The table is bounded: an entry with address None sums what found
        no room.
        """
        return endpoints_list((<TlsTable*>self.state.tls).endpoints)

    def tls_processes(self) -> list:
        """What became of TLS connections, by the process whose library told their secrets, where that is known.

        Dicts of ``process`` (its id; 0 sums earlier ones that found no room any more), ``connections`` (whose secrets
        it had), ``open`` (being read now), and of those that are decided how many are ``read``, or not for a reason,
        by the names in ``levo.ledger.TLS``. What is missing to ``connections`` was not captured, or has not begun.
        """
        cdef KeyTable* keys = (<TlsTable*>self.state.tls).keys
        cdef uint32_t i
        cdef list found = [process_values(&keys.processes[i]) for i in range(keys.process_count)]
        if keys.others.connections:
            found.append(process_values(&keys.others))
        return found

    def add_secrets(self, text) -> tuple:
        """Take over whole lines of a key log (SSLKEYLOGFILE, RFC 9850); the numbers of those used and not.

        Comments, labels that have no use here and lines that are none are left out and counted together.
        """
        cdef bytes random, secret
        cdef const unsigned char* random_at
        cdef const unsigned char* secret_at
        cdef TlsTable* table = <TlsTable*>self.state.tls
        used = unused = 0
        for line in text.splitlines():
            parts = line.split()
            try:
                kind = SECRET_LABELS[parts[0]]
                random, secret = bytes.fromhex(parts[1].decode("ascii")), bytes.fromhex(parts[2].decode("ascii"))
                taken = len(parts) == 3 and len(random) == 32
            except (LookupError, ValueError):
                taken = False
            if taken:
                random_at = random
                secret_at = secret
                taken = keys_put(table.keys, &self.state.budget, random_at, kind, secret_at, <uint32_t>len(secret), 0)
            if taken:
                used += 1
            else:
                unused += 1
        return used, unused

    def set_key_source(self, source, *, bint wait=False):
        """Ask *source* for further lines of a key log (octets, whole lines) where a connection's secrets are missing.

        With *wait*, connections wait for secrets that come up late, for as long as for a missing segment and with
        256 KiB a direction at most; all of them together may hold an eighth of the budget.
        """
        self.key_source = source
        self.asking.engine = <void*>self if source is not None else NULL
        self.asking.log_wait_ns = self.state.settings.stream_timeout_ns if wait and source is not None else 0
        self.ask_for_keys()

    def set_key_probe(self, KeySource source, int64_t wait_ns=0):
        """Take secrets from *source* as they come up, also beside a key log; the GIL is not needed for that.

        Connections wait for them for *wait_ns* at most, within the bounds of ``set_key_source``. None ends it.
        """
        self.asking.take, self.asking.source = NULL, NULL
        self.key_probe = source
        if source is not None:
            self.asking.take, self.asking.source = source.take, source.source
        self.asking.probe_wait_ns = wait_ns if source is not None else 0
        self.ask_for_keys()

    cdef void ask_for_keys(self):
        cdef TlsTable* table = <TlsTable*>self.state.tls
        self.asking.state = &self.state
        table.ask = NULL
        if self.asking.engine != NULL or self.asking.take != NULL:
            table.ask = ask_secrets
        table.ask_context = &self.asking
        table.wait_ns = max(self.asking.log_wait_ns, self.asking.probe_wait_ns)

    def statistics(self) -> dict:
        """A snapshot of all counters; the balances they keep are stated in ``levo.ledger``."""
        cdef dict numbers = self.state.stats
        cdef KeyTable* keys
        dropped = numbers["exchanges_dropped"]
        numbers["exchanges_dropped"] = {name: dropped[number] for number, name in DROP_NAMES.items()}
        keys = (<TlsTable*>self.state.tls).keys
        numbers["secrets_received"] = keys.received
        numbers["secrets_used"] = keys.used
        numbers["secrets_unused"] = keys.unused
        numbers["secrets_refused"] = keys.refused
        numbers["secrets_held"] = keys.received - keys.used - keys.unused - keys.refused
        numbers["tls_received"] = self.state.stats.connections_tls
        numbers["tls_open"] = (<TlsTable*>self.state.tls).outcomes[<int>TLS_OPEN]
        for name, count in outcomes_of((<TlsTable*>self.state.tls).outcomes).items():
            numbers["tls_" + name] = count
        numbers["memory_used_bytes"] = self.state.budget.used
        numbers["memory_refused"] = self.state.budget.refused
        return numbers
