"""AES-256-GCM (NIST SP 800-38D) by libcrypto, which the engine has loaded: a package for it would cost memory."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.limits cimport INT_MAX

cdef extern from "openssl/evp.h" nogil:
    ctypedef struct EVP_CIPHER:
        pass
    ctypedef struct EVP_CIPHER_CTX:
        pass
    EVP_CIPHER_CTX* EVP_CIPHER_CTX_new()
    void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX* context)
    int EVP_CipherInit_ex(
        EVP_CIPHER_CTX* context, const EVP_CIPHER* cipher, void* engine, const unsigned char* key,
        const unsigned char* iv, int encrypt)
    int EVP_CipherUpdate(
        EVP_CIPHER_CTX* context, unsigned char* out, int* out_length, const unsigned char* data, int length)
    int EVP_CipherFinal_ex(EVP_CIPHER_CTX* context, unsigned char* out, int* out_length)
    int EVP_CIPHER_CTX_ctrl(EVP_CIPHER_CTX* context, int kind, int number, void* value)
    const EVP_CIPHER* EVP_aes_256_gcm()
    int EVP_CTRL_AEAD_GET_TAG
    int EVP_CTRL_AEAD_SET_TAG

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16

cdef enum:
    TAG = 16


cdef class Sealer:
    """Seals and opens octets under one key. One thread at a time."""

    cdef EVP_CIPHER_CTX* _context

    def __cinit__(self, bytes key not None):
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} octets, this one {len(key)}")
        self._context = EVP_CIPHER_CTX_new()
        if self._context == NULL or EVP_CipherInit_ex(
            self._context, EVP_aes_256_gcm(), NULL, <const unsigned char*>PyBytes_AS_STRING(key), NULL, 1
        ) != 1:
            raise MemoryError

    def __dealloc__(self):
        EVP_CIPHER_CTX_free(self._context)  # which wipes the key

    def seal(self, bytes nonce not None, bytes extra not None, plain not None) -> bytes:
        """*plain* sealed, its tag at the end. A *nonce* must not come twice under a key; *extra* is bound to it."""
        return self._run(nonce, extra, plain, 1)

    def open(self, bytes nonce not None, bytes extra not None, sealed not None) -> bytes | None:
        """What was sealed; None if nonce, extra or an octet is another, or the key."""
        return self._run(nonce, extra, sealed, 0)

    cdef _run(self, bytes nonce, bytes extra, data, int encrypt):
        cdef Py_buffer view
        cdef Py_ssize_t size
        cdef int written = 0
        cdef int total = 0
        cdef bint done
        cdef unsigned char* into
        cdef const unsigned char* octets
        cdef bytes out
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} octets, this one {len(nonce)}")
        if len(extra) > INT_MAX:
            raise ValueError("too much to bind")
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            size = view.len if encrypt else view.len - TAG
            if size < 0:
                return None
            if size > INT_MAX - TAG:
                raise ValueError(f"{size} octets are too many")
            octets = <const unsigned char*>view.buf
            out = PyBytes_FromStringAndSize(NULL, size + TAG if encrypt else size)
            into = <unsigned char*>PyBytes_AS_STRING(out)
            done = (
                EVP_CipherInit_ex(
                    self._context, NULL, NULL, NULL, <const unsigned char*>PyBytes_AS_STRING(nonce), encrypt) == 1
                and EVP_CipherUpdate(
                    self._context, NULL, &written, <const unsigned char*>PyBytes_AS_STRING(extra), <int>len(extra)) == 1
                and (size == 0 or EVP_CipherUpdate(self._context, into, &total, octets, <int>size) == 1)
                and (encrypt or EVP_CIPHER_CTX_ctrl(
                    self._context, EVP_CTRL_AEAD_SET_TAG, TAG, <void*>(octets + size)) == 1)
                and EVP_CipherFinal_ex(self._context, into + total, &written) == 1
                and (not encrypt or EVP_CIPHER_CTX_ctrl(
                    self._context, EVP_CTRL_AEAD_GET_TAG, TAG, into + size) == 1)
            )
        finally:
            PyBuffer_Release(&view)
        if done:
            return out
        if encrypt:
            raise MemoryError
        return None
