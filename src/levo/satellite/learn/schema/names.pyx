"""When a name is a name: properties, parameters and their like are values until they recur.

Whoever calls an API writes what stands where a name is expected, so a name is kept as text only after it was in
``min_objects`` different objects: of answers with a status of 2xx, or of other messages, which the caller alone may
have chosen, if they came from ``min_callers`` different callers, too. Until then its keyed hash stands for it
(:func:`mark_of`). Whether a name is proven is asked of an application as a whole, not of a place.

What is remembered of a name that is not proven yet (:class:`Sightings`) are keyed hashes of some objects and callers,
as many as a proof needs. They merge by union, so whether a name is proven does not depend on order and partition.

Which objects are the same is said in ``observe.pyx``. What is the same on another day, or sent by another caller,
counts as another object here: an answer that never changes proves its names in as many days.
"""

cimport cython
from hashlib import blake2b

from libc.string cimport memcpy

from functools import lru_cache

from levo.satellite.learn.schema.standard import STANDARD_NAMES

FEW_CALLERS = 2
"""So many callers of an application are told apart."""
MARK = "?"
"""Starts what stands for a name that is not proven; no name does."""
_MARK_BYTES = 8
_POSITIVE = (1 << 63) - 1
_DAY_NS = 86_400 * 1_000_000_000
cdef str _MARK = MARK
cdef object _STANDARD = STANDARD_NAMES


@lru_cache(maxsize=1 << 14)
def mark_of(str name not None, bytes key not None):
    """Return what stands for *name* while it is not proven; *key* is the installation's, at most 64 octets."""
    octets = name.encode(errors="surrogatepass")
    return _MARK + blake2b(octets, key=key, digest_size=_MARK_BYTES, person=b"levo name").hexdigest()


@lru_cache(maxsize=1 << 13)
def caller_of(str address, bytes key):
    digest = blake2b(address.encode(errors="surrogatepass"), key=key, digest_size=8, person=b"levo name caller")
    return int.from_bytes(digest.digest())


cdef inline bint add_hash(uint64_t* known, int* count, int most, uint64_t hashed) noexcept nogil:
    """Add *hashed* to the *count* different ones that are known, unless there are *most*."""
    cdef int i
    for i in range(count[0]):
        if known[i] == hashed:
            return False
    if count[0] >= most:
        return False
    known[count[0]] = hashed
    count[0] += 1
    return True


cdef list in_order(uint64_t* known, int count):
    return sorted([known[i] for i in range(count)])


@cython.final
@cython.no_gc
@cython.freelist(64)
cdef class Sightings:
    """Where one name was seen: some of the objects, some of the callers, when first and last in requests."""

    @property
    def asked(self):
        """Hashes of objects that callers may have chosen, in order."""
        return in_order(self._asked, self.asked_count)

    @property
    def answered(self):
        """Hashes of objects of successful answers, in order."""
        return in_order(self._answered, self.answered_count)

    @property
    def callers(self):
        """Hashes of callers, in order."""
        return in_order(self._callers, self.callers_count)

    @property
    def evidence(self):
        """How much is known: what is nearer to a proof is kept before what is not."""
        return max(self.asked_count + self.callers_count, 2 * self.answered_count)

    cdef int sight(self, Message message, uint64_t identity) except -1:
        cdef Names names = message.names
        if message.answered:
            add_hash(self._answered, &self.answered_count, names.min_objects, identity)
        else:
            add_hash(self._asked, &self.asked_count, names.min_objects, identity)
            if message._client:  # who is not known is nobody else for certain
                add_hash(self._callers, &self.callers_count, names.min_callers, message.caller())
            self._at(message._time_ns, message._time_ns)
        self.proven = self.is_proof(names.min_objects, names.min_callers)
        return 0

    cdef void _at(self, int64_t first_ns, int64_t last_ns) noexcept:
        if not self.first_ns or first_ns < self.first_ns:
            self.first_ns = first_ns
        if last_ns > self.last_ns:
            self.last_ns = last_ns

    def absorb(self, Sightings other not None, int most_objects=MOST_OBJECTS, int most_callers=MOST_CALLERS):
        """Add *other*, which is not changed, as far as not so many objects and callers are known already."""
        cdef int i
        for i in range(other.asked_count):
            add_hash(self._asked, &self.asked_count, most_objects, other._asked[i])
        for i in range(other.answered_count):
            add_hash(self._answered, &self.answered_count, most_objects, other._answered[i])
        for i in range(other.callers_count):
            add_hash(self._callers, &self.callers_count, most_callers, other._callers[i])
        if other.last_ns:
            self._at(other.first_ns, other.last_ns)

    cpdef bint is_proof(self, int min_objects, int min_callers):
        """Whether it is enough. Where one caller does, it need not be known."""
        return self.answered_count >= min_objects or (
            self.asked_count >= min_objects and (self.callers_count >= min_callers or min_callers == 1)
        )

    def is_proof_of_one_caller(self, int min_objects, int64_t after_ns):
        """Whether it would be enough where all requests come from one caller."""
        return self.asked_count >= min_objects and self.last_ns - self.first_ns >= after_ns

    def to_bytes(self):
        """Return what is stored: equal sightings have equal octets."""
        cdef bytes counts = bytes([self.asked_count, self.answered_count, self.callers_count])
        cdef list hashes = [*self.asked, *self.answered, *self.callers, self.first_ns, self.last_ns]
        return counts + b"".join([number.to_bytes(8) for number in hashes])

    @staticmethod
    def from_bytes(bytes octets not None):
        """Read what :meth:`to_bytes` wrote. Raises ``ValueError`` for anything else."""
        cdef Sightings found = Sightings.__new__(Sightings)
        cdef int asked, answered, callers, number
        if len(octets) < 3:
            raise ValueError("stored sightings of a name are damaged")
        asked, answered, callers = octets[0], octets[1], octets[2]
        if max(asked, answered) > MOST_OBJECTS or callers > MOST_CALLERS or (
            len(octets) != 3 + 8 * (asked + answered + callers + 2)
        ):
            raise ValueError("stored sightings of a name are damaged")
        numbers = [int.from_bytes(octets[at : at + 8]) for at in range(3, len(octets), 8)]
        for number in range(asked):
            add_hash(found._asked, &found.asked_count, MOST_OBJECTS, numbers[number])
        for number in range(asked, asked + answered):
            add_hash(found._answered, &found.answered_count, MOST_OBJECTS, numbers[number])
        for number in range(asked + answered, asked + answered + callers):
            add_hash(found._callers, &found.callers_count, MOST_CALLERS, numbers[number])
        number = asked + answered + callers
        found.first_ns, found.last_ns = numbers[number] & _POSITIVE, numbers[number + 1] & _POSITIVE
        return found

    def __eq__(self, other):
        return isinstance(other, Sightings) and self.to_bytes() == other.to_bytes()


@cython.final
cdef class Names:
    """The names of one application that were sighted and not known to be names, as text; in memory only."""

    def __init__(self, known=frozenset(), bytes key=b"levo", int min_objects=3, int min_callers=2):
        """*known* are names that are proven; *key* is the installation's."""
        if not (1 <= min_objects <= MOST_OBJECTS and 1 <= min_callers <= MOST_CALLERS):
            raise ValueError("a name is proven by 1 to 16 objects of 1 to 8 callers")
        self.seen = {}
        self.callers = set()
        self._known = known
        self.key = key
        self.min_objects = min_objects
        self.min_callers = min_callers

    cdef Sightings find(self, str name):
        """Return where to note that *name* was sighted; None if it needs no proof."""
        found = self.seen.get(name)
        if found is None:
            if name in _STANDARD or name in self._known:
                return None
            found = self.seen[name] = Sightings.__new__(Sightings)
            (<Sightings>found).mark = mark_of(name, self.key)
        return None if (<Sightings>found).proven else <Sightings>found

    def is_settled(self, str name not None):
        """Whether *name* needs no proof, or has it from here alone."""
        return self.find(name) is None

    def called_by(self, str address not None):
        """Note who calls the application: one client, or more than one."""
        if address and len(self.callers) < FEW_CALLERS:
            self.callers.add(address)

    def absorb(self, Names other not None):
        """Add *other*, which is not changed."""
        cdef Sightings mine
        for address in sorted(other.callers):
            self.called_by(address)
        self.has_operations |= other.has_operations
        for name, sightings in other.seen.items():
            found = self.seen.get(name)
            if found is None:
                found = self.seen[name] = Sightings.__new__(Sightings)
                (<Sightings>found).mark = mark_of(name, self.key)
            mine = <Sightings>found
            mine.absorb(sightings, self.min_objects, self.min_callers)
            mine.proven = mine.is_proof(self.min_objects, self.min_callers)

    def empty(self):
        """Return names of the same rule, none sighted."""
        return Names(self._known, self.key, self.min_objects, self.min_callers)


@cython.final
@cython.no_gc
@cython.freelist(8)
cdef class Message:
    """One message that names are sighted in."""

    def __init__(self, Names names not None, bint answered, str caller, int64_t time_ns, tuple whole=()):
        """*answered*: a successful answer. *whole* (texts or octets) tells this message apart from others."""
        self.names = names
        self.answered = answered
        self._client = caller
        self._time_ns = time_ns
        self._whole = whole

    def about(self, bytes part not None):
        """Return a message for which all its objects are one, told apart from others by *part* as well."""
        cdef Message message = Message(
            self.names, self.answered, self._client, self._time_ns, (*self._whole, part)
        )
        message.is_one = True
        return message

    # What follows is not needed once all names are proven, so it is worked out when it is asked for.

    cdef uint64_t caller(self) except? 0:
        if not self._caller:
            self._caller = caller_of(self._client, self.names.key)
        return self._caller

    cdef bytes _salt(self):
        """Return 16 octets that differ by day and, in what callers may have chosen, by caller."""
        if self._salt_octets is None:
            caller = 0 if self.answered else self.caller()
            self._salt_octets = (self._time_ns // _DAY_NS).to_bytes(8) + caller.to_bytes(8)
        return self._salt_octets

    cdef uint64_t identity_of(self, uint64_t said) except? 0:
        """Return the keyed hash of an object of this message that says *said*."""
        cdef uint64_t number = 0
        cdef bytes digest = blake2b(
            said.to_bytes(8), key=self.names.key, digest_size=8, salt=self._salt(), person=b"levo name object"
        ).digest()
        memcpy(&number, <char*>digest, 8)
        return number

    cdef uint64_t own_identity(self) except? 0:
        """Return the keyed hash of all of the message."""
        cdef bytes digest
        if not self._identity:
            hashed = blake2b(key=self.names.key, digest_size=8, salt=self._salt(), person=b"levo name whole")
            for part in self._whole:
                octets = part.encode(errors="surrogatepass") if isinstance(part, str) else part
                hashed.update(len(octets).to_bytes(8))
                hashed.update(octets)
            digest = hashed.digest()
            memcpy(&self._identity, <char*>digest, 8)
        return self._identity

    def see(self, str name not None):
        """Note that *name* stands in this message, where no property of a body does."""
        cdef Sightings found = self.names.find(name)
        if found is not None:
            self.unsettled = True
            found.sight(self, self.own_identity())
