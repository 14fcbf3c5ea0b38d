"""Adding schema nodes to each other, for other compiled modules."""

from levo.satellite.learn.schema.node cimport Node

cdef int absorb_node(Node node, Node other) except -1
cdef int fold_node(Node node) except -1
cdef int crowd_node(Node node) except -1
cdef int hide_labels(Node node) noexcept
cdef int rename_node(Node node, object names) except -1
cdef dict renamed(dict counts, dict names)
cdef int reveal_node(Node node, object names) except -1
