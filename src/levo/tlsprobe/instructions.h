/* Machine code, as far as following a value through a function needs it: x86-64 and arm64.
 *
 * An instruction becomes one step. What is not understood is a step too, of the right length, that makes the register
 * it writes unknown (or all of them): a wrong reading is then a refusal, never a wrong address. The lengths of x86-64
 * instructions follow the opcode maps of the Intel SDM, volume 2, appendix A; the tests compare them with capstone's
 * on whole libraries.
 */
#ifndef LEVO_INSTRUCTIONS_H
#define LEVO_INSTRUCTIONS_H

#include <stdint.h>
#include <string.h>

enum {
    STEP_OTHER,   /* writes *to*, or nothing */
    STEP_COPY,    /* to = from */
    STEP_SET,     /* to = value */
    STEP_ADD,     /* to = from + value */
    STEP_LOAD,    /* to = [from + value] of *size* octets, *index* too where it is not LEVO_NONE */
    STEP_STORE,   /* [from + value] = to */
    STEP_COMPARE, /* to with from, or with value where from is LEVO_NONE */
    STEP_CALL,    /* target, or 0 */
    STEP_JUMP,    /* target, or 0 */
    STEP_BRANCH,  /* to target, or on */
    STEP_RETURN,
    STEP_WILD     /* anything may have been written */
};
enum { LEVO_NONE = 255, LEVO_REGISTERS = 32 };

typedef struct {
    uint8_t kind, to, from, index, size;
    uint8_t second; /* arm64 pairs: the other register loaded or stored, at value + size */
    uint8_t length;
    int32_t moves; /* added to *from* afterwards: pop, and arm64's addressing that moves the base */
    int64_t value;
    uint64_t target; /* of calls, jumps, branches; the address a STEP_SET takes from its own place is in value */
} levo_step;

static inline int32_t levo_i32(const uint8_t *at)
{
    int32_t value;
    memcpy(&value, at, 4);
    return value;
}

static inline uint32_t levo_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

/* x86-64 */

static inline int levo_x86_operand(unsigned map, unsigned op)
{
    /* Whether a ModRM octet follows. */
    if (map == 1) {
        if (op < 0x40)
            return (op & 7) < 4;
        return op == 0x62 || op == 0x63 || op == 0x69 || op == 0x6b || (op >= 0x80 && op <= 0x8f) || op == 0xc0 ||
               op == 0xc1 || op == 0xc6 || op == 0xc7 || (op >= 0xd0 && op <= 0xd3) || (op >= 0xd8 && op <= 0xdf) ||
               op == 0xf6 || op == 0xf7 || op == 0xfe || op == 0xff;
    }
    if (map == 2)
        return !((op >= 0x05 && op <= 0x09) || op == 0x0b || op == 0x0e || (op >= 0x30 && op <= 0x37) || op == 0x77 ||
                 (op >= 0x80 && op <= 0x8f) || (op >= 0xa0 && op <= 0xa2) || (op >= 0xa8 && op <= 0xaa) ||
                 (op >= 0xc8 && op <= 0xcf));
    return 1;
}

static inline unsigned levo_x86_immediate(unsigned map, unsigned op, unsigned reg, int wide, int narrow)
{
    /* Octets of it. *wide*: REX.W; *narrow*: the 66 prefix. */
    unsigned z = narrow && !wide ? 2 : 4;
    if (map == 1) {
        if (op < 0x40)
            return (op & 7) == 4 ? 1 : (op & 7) == 5 ? z : 0;
        if ((op >= 0x70 && op <= 0x7f) || (op >= 0xb0 && op <= 0xb7) || (op >= 0xe0 && op <= 0xe7))
            return 1;
        if (op >= 0xb8 && op <= 0xbf)
            return wide ? 8 : z;
        if (op >= 0xa0 && op <= 0xa3)
            return 8;
        switch (op) {
        case 0x6a: case 0x6b: case 0x80: case 0x83: case 0xa8: case 0xc0: case 0xc1: case 0xc6: case 0xcd: case 0xeb:
            return 1;
        case 0x68: case 0x69: case 0x81: case 0xa9: case 0xc7:
            return z;
        case 0xe8: case 0xe9:
            return 4;
        case 0xc2: case 0xca:
            return 2;
        case 0xc8:
            return 3;
        case 0xf6:
            return reg < 2 ? 1 : 0;
        case 0xf7:
            return reg < 2 ? z : 0;
        }
        return 0;
    }
    if (map == 2) {
        if (op >= 0x80 && op <= 0x8f)
            return 4;
        return (op >= 0x70 && op <= 0x73) || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 || op == 0x0f ||
               (op >= 0xc4 && op <= 0xc6);
    }
    return map == 4;
}

/* One instruction at *code*, which stands at address *at*; 0 where there is none. Map 1 is that of one octet, 2 is 0F,
 * 3 is 0F 38, 4 is 0F 3A; the maps of VEX, EVEX and XOP are numbered alike. */
static inline unsigned levo_x86(const uint8_t *code, uint64_t left, uint64_t at, levo_step *step)
{
    unsigned n = 0, rex = 0, map = 1, op, modrm = 0, mod = 3, reg = 0, rm = 0, most = left < 15 ? (unsigned)left : 15;
    int narrow = 0, repeat = 0, vector = 0, wide, relative = 0;
    unsigned base = LEVO_NONE, index = LEVO_NONE, immediate;
    int64_t displacement = 0, value = 0;

    memset(step, 0, sizeof *step);
    step->kind = STEP_OTHER;
    step->to = step->from = step->index = step->second = LEVO_NONE;
#define NEED(k) do { if (n + (k) > most) return 0; } while (0)
    for (;;) {
        NEED(1);
        op = code[n];
        if (op == 0x66)
            narrow = 1;
        else if (op == 0xf2 || op == 0xf3)
            repeat = 1;
        else if (op != 0x2e && op != 0x36 && op != 0x3e && op != 0x26 && op != 0x64 && op != 0x65 && op != 0x67 &&
                 op != 0xf0)
            break;
        n++;
    }
    if ((op & 0xf0) == 0x40) {
        rex = op;
        n++;
        NEED(1);
        op = code[n];
    }
    n++;
    if (op == 0x0f) {
        NEED(1);
        op = code[n++];
        map = 2;
        if (op == 0x38 || op == 0x3a) {
            map = op == 0x38 ? 3 : 4;
            NEED(1);
            op = code[n++];
        }
    } else if (op == 0xc5) {
        NEED(2);
        vector = 1, map = 2;
        rex = code[n] & 0x80 ? 0 : 4;
        op = code[n + 1];
        n += 2;
    } else if (op == 0xc4 || op == 0x62 || op == 0x8f) {
        NEED(1);
        if (op != 0x8f || (code[n] & 0x1f) >= 8) {
            unsigned prefix = op == 0x62 ? 3 : 2;
            NEED(prefix + 1);
            vector = 1;
            rex = (~code[n] >> 5 & 7) | (code[n + 1] >> 4 & 8);
            map = (op == 0x62 ? code[n] & 7 : code[n] & 0x1f) + 1;
            if (op == 0x8f)
                map = map == 9 ? 4 : map == 11 ? 5 : 3; /* XOP: an octet, four octets, none */
            op = code[n + prefix];
            n += prefix + 1;
        }
    }
    wide = rex >> 3 & 1;
    if (map == 1 && !vector && (op == 0x06 || op == 0x07 || op == 0x0e || op == 0x16 || op == 0x17 || op == 0x1e ||
                     op == 0x1f || op == 0x27 || op == 0x2f || op == 0x37 || op == 0x3f || op == 0x60 || op == 0x61 ||
                     op == 0x82 || op == 0x9a || op == 0xce || op == 0xd4 || op == 0xd5 || op == 0xd6 || op == 0xea))
        return 0; /* not in 64-bit mode */
    if (vector ? !(map == 2 && op == 0x77) : levo_x86_operand(map, op)) {
        NEED(1);
        modrm = code[n++];
        mod = modrm >> 6;
        reg = (modrm >> 3 & 7) | (rex & 4 ? 8 : 0);
        rm = modrm & 7;
        if (mod != 3) {
            unsigned size = mod == 1 ? 1 : mod == 2 ? 4 : 0;
            if (rm == 4) {
                unsigned sib;
                NEED(1);
                sib = code[n++];
                base = (sib & 7) | (rex & 1 ? 8 : 0);
                index = (sib >> 3 & 7) | (rex & 2 ? 8 : 0);
                if (index == 4)
                    index = LEVO_NONE;
                if ((sib & 7) == 5 && mod == 0) {
                    base = LEVO_NONE;
                    size = 4;
                }
            } else if (rm == 5 && mod == 0) {
                relative = 1;
                size = 4;
            } else
                base = rm | (rex & 1 ? 8 : 0);
            NEED(size);
            displacement = size == 1 ? (int8_t)code[n] : size == 4 ? levo_i32(code + n) : 0;
            n += size;
        } else
            rm |= rex & 1 ? 8 : 0;
    }
    immediate = map == 5 ? 4 : vector && map == 2 && op >= 0x80 && op <= 0x8f ? 0
                                                                              : levo_x86_immediate(map, op, reg & 7, wide, narrow);
    NEED(immediate);
    if (immediate == 1)
        value = (int8_t)code[n];
    else if (immediate == 4)
        value = levo_i32(code + n);
    else if (immediate == 8)
        memcpy(&value, code + n, 8);
    n += immediate;
#undef NEED
    step->length = (uint8_t)n;
    if (relative)
        displacement += (int64_t)(at + n);

    if (vector || map > 2) {
        /* Vector registers are not followed; general ones may be written by BMI: the register in ModRM. */
        if (mod != 3 && !relative && base != LEVO_NONE && (op == 0x6f || op == 0x10 || op == 0x28)) {
            step->kind = STEP_LOAD, step->from = (uint8_t)base, step->index = (uint8_t)index;
            step->value = displacement, step->size = 16;
        } else if (map != 2)
            step->to = (uint8_t)reg;
        return n;
    }
    if (map == 2) {
        if (op >= 0x80 && op <= 0x8f) {
            step->kind = STEP_BRANCH, step->target = at + n + (uint64_t)value;
        } else if ((op == 0xb6 || op == 0xb7 || op == 0xbe || op == 0xbf) && mod != 3 && base != LEVO_NONE) {
            step->kind = STEP_LOAD, step->to = (uint8_t)reg, step->from = (uint8_t)base, step->index = (uint8_t)index;
            step->value = displacement, step->size = op & 1 ? 2 : 1;
        } else if ((op == 0x6f || op == 0x10 || op == 0x28) && mod != 3 && base != LEVO_NONE) {
            step->kind = STEP_LOAD, step->from = (uint8_t)base, step->index = (uint8_t)index;
            step->value = displacement, step->size = 16;
        } else if (op == 0x05 || op == 0x0b) {
            step->kind = op == 0x0b ? STEP_RETURN : STEP_WILD;
        } else if ((op & 0xf0) == 0x40 || (op >= 0xb6 && op <= 0xbf) || op == 0xaf || op == 0x7e || op == 0x50 ||
                   op == 0x2c || op == 0x2d || op == 0xd7 || op == 0xc5)
            step->to = (uint8_t)(op == 0x7e ? (mod == 3 ? rm : LEVO_NONE) : reg);
        else if ((op & 0xf0) == 0x90 && mod == 3)
            step->to = (uint8_t)rm;
        else if (op >= 0xc8)
            step->to = op <= 0xcf ? (uint8_t)((op & 7) | (rex & 1 ? 8 : 0)) : LEVO_NONE;
        else if (op == 0xa2)
            step->kind = STEP_WILD;
        else if (op == 0xa3 || op == 0xab || op == 0xb3 || op == 0xba || op == 0xbb || op == 0xa4 || op == 0xa5 ||
                 op == 0xac || op == 0xad || op == 0xb0 || op == 0xb1 || op == 0xc0 || op == 0xc1)
            step->to = mod == 3 ? (uint8_t)rm : LEVO_NONE;
        return n;
    }
    if (op < 0x40) {
        unsigned form = op & 7, what = op >> 3;
        unsigned target = form == 4 || form == 5 ? 0 : form < 2 ? rm : reg;
        if (what == 7) { /* cmp */
            if (form == 3 || form == 1) {
                if (mod == 3) {
                    step->kind = STEP_COMPARE, step->to = (uint8_t)reg, step->from = (uint8_t)rm;
                }
            } else if (form == 5)
                step->kind = STEP_COMPARE, step->to = 0, step->value = value;
            return n;
        }
        if (what == 6 && mod == 3 && reg == rm && form < 4) { /* xor with itself */
            step->kind = STEP_SET, step->to = (uint8_t)rm, step->value = 0;
            return n;
        }
        if (form < 2 && mod != 3)
            return n; /* to memory */
        step->to = (uint8_t)target;
        if (what == 0 && form == 5 && wide)
            step->kind = STEP_ADD, step->from = 0, step->value = value;
        return n;
    }
    switch (op) {
    case 0x89:
        if (mod == 3) {
            step->kind = wide ? STEP_COPY : STEP_OTHER, step->to = (uint8_t)rm, step->from = (uint8_t)reg;
        } else if (!relative && base != LEVO_NONE && index == LEVO_NONE) {
            step->kind = STEP_STORE, step->to = (uint8_t)reg, step->from = (uint8_t)base, step->value = displacement;
            step->size = wide ? 8 : narrow ? 2 : 4;
        }
        return n;
    case 0x8b:
        step->to = (uint8_t)reg;
        if (mod == 3) {
            step->kind = wide ? STEP_COPY : STEP_OTHER, step->from = (uint8_t)rm;
        } else if (!relative && base != LEVO_NONE) {
            step->kind = STEP_LOAD, step->from = (uint8_t)base, step->index = (uint8_t)index;
            step->value = displacement, step->size = wide ? 8 : narrow ? 2 : 4;
        }
        return n;
    case 0x8d:
        step->to = (uint8_t)reg;
        if (relative)
            step->kind = STEP_SET, step->value = displacement;
        else if (wide && base != LEVO_NONE && index == LEVO_NONE)
            step->kind = STEP_ADD, step->from = (uint8_t)base, step->value = displacement;
        return n;
    case 0x81: case 0x83:
        if ((reg & 7) == 7) {
            if (mod == 3)
                step->kind = STEP_COMPARE, step->to = (uint8_t)rm, step->value = value;
        } else if (mod == 3) {
            step->to = (uint8_t)rm;
            if (wide && ((reg & 7) == 0 || (reg & 7) == 5))
                step->kind = STEP_ADD, step->from = (uint8_t)rm, step->value = (reg & 7) ? -value : value;
        }
        return n;
    case 0xc7:
        if (mod == 3)
            step->kind = STEP_SET, step->to = (uint8_t)rm, step->value = value;
        return n;
    case 0xe8: case 0xe9: case 0xeb:
        step->kind = op == 0xe8 ? STEP_CALL : STEP_JUMP, step->target = at + n + (uint64_t)value;
        return n;
    case 0xc2: case 0xc3: case 0xcc: case 0xf4:
        step->kind = STEP_RETURN;
        return n;
    case 0xff:
        if ((reg & 7) == 2 || (reg & 7) == 3)
            step->kind = STEP_CALL;
        else if ((reg & 7) == 4 || (reg & 7) == 5)
            step->kind = STEP_JUMP;
        else if (mod == 3)
            step->to = (uint8_t)rm;
        return n;
    case 0x63: case 0x69: case 0x6b:
        step->to = (uint8_t)reg;
        return n;
    case 0x86: case 0x87:
        step->kind = STEP_WILD;
        return n;
    case 0x8a:
        step->to = (uint8_t)reg;
        if (mod != 3 && !relative && base != LEVO_NONE) {
            step->kind = STEP_LOAD, step->from = (uint8_t)base, step->index = (uint8_t)index;
            step->value = displacement, step->size = 1;
        }
        return n;
    case 0xc8: case 0xc9:
        step->kind = STEP_OTHER, step->to = 5;
        return n;
    case 0x6c: case 0x6d: case 0x6e: case 0x6f:
        step->kind = STEP_WILD;
        return n;
    }
    if (op >= 0x50 && op <= 0x57) { /* push moves the stack pointer; what it stores is not looked for */
        step->kind = STEP_ADD, step->to = 4, step->from = 4, step->value = -8;
    } else if (op >= 0x58 && op <= 0x5f) {
        step->kind = STEP_LOAD, step->to = (uint8_t)((op & 7) | (rex & 1 ? 8 : 0));
        step->from = 4, step->size = 8, step->moves = 8;
    } else if (op >= 0x70 && op <= 0x7f) {
        step->kind = STEP_BRANCH, step->target = at + n + (uint64_t)value;
    } else if (op >= 0xe0 && op <= 0xe3) {
        step->kind = STEP_BRANCH, step->target = at + n + (uint64_t)value;
    } else if (op >= 0xb8 && op <= 0xbf) {
        step->kind = STEP_SET, step->to = (uint8_t)((op & 7) | (rex & 1 ? 8 : 0));
        step->value = wide ? value : (int64_t)(uint32_t)value;
    } else if (op >= 0xb0 && op <= 0xb7) {
        step->to = (uint8_t)((op & 7) | (rex & 1 ? 8 : 0));
    } else if (op >= 0x90 && op <= 0x97) {
        step->kind = op == 0x90 && !(rex & 1) ? STEP_OTHER : STEP_WILD;
    } else if (op >= 0xa4 && op <= 0xaf) {
        step->kind = op == 0xa8 || op == 0xa9 ? STEP_OTHER : STEP_WILD;
    } else if ((op == 0xc0 || op == 0xc1 || (op >= 0xd0 && op <= 0xd3) || op == 0x80 || op == 0xc6) && mod == 3) {
        if (!(op == 0x80 && (reg & 7) == 7))
            step->to = (uint8_t)rm;
    } else if ((op == 0xf6 || op == 0xf7) && (reg & 7) >= 2) {
        step->kind = (reg & 7) >= 4 ? STEP_WILD : STEP_OTHER;
        step->to = mod == 3 ? (uint8_t)rm : LEVO_NONE;
    } else if (op == 0xfe && mod == 3) {
        step->to = (uint8_t)rm;
    } else if (op == 0x98 || op == 0x99 || op == 0xa0 || op == 0xa1 || op == 0x9f || op == 0xe4 || op == 0xe5) {
        step->kind = STEP_WILD;
    } else if (op == 0x88 && mod == 3) {
        step->to = (uint8_t)rm;
    }
    (void)repeat;
    return n;
}

/* arm64. Register 31 is the stack pointer, or zero, which is then LEVO_NONE. */

static inline int64_t levo_signed(uint64_t value, unsigned bits)
{
    return (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static inline unsigned levo_arm64(const uint8_t *code, uint64_t left, uint64_t at, levo_step *step)
{
    uint32_t w;
    unsigned d, n;

    memset(step, 0, sizeof *step);
    step->kind = STEP_OTHER;
    step->to = step->from = step->index = step->second = LEVO_NONE;
    step->length = 4;
    if (left < 4)
        return 0;
    w = levo_u32(code);
    d = w & 31, n = w >> 5 & 31;
    if ((w & 0x7c000000) == 0x14000000) { /* b, bl */
        step->kind = w >> 31 ? STEP_CALL : STEP_JUMP;
        step->target = at + (uint64_t)(levo_signed(w & 0x3ffffff, 26) * 4);
    } else if ((w & 0xff000010) == 0x54000000 || (w & 0x7e000000) == 0x34000000) { /* b.cond, cbz, cbnz */
        step->kind = STEP_BRANCH, step->target = at + (uint64_t)(levo_signed(w >> 5 & 0x7ffff, 19) * 4);
    } else if ((w & 0x7e000000) == 0x36000000) { /* tbz, tbnz */
        step->kind = STEP_BRANCH, step->target = at + (uint64_t)(levo_signed(w >> 5 & 0x3fff, 14) * 4);
    } else if ((w & 0xfffffc1f) == 0xd63f0000) {
        step->kind = STEP_CALL;
    } else if ((w & 0xfffffc1f) == 0xd61f0000) {
        step->kind = STEP_JUMP;
    } else if ((w & 0xfffff0ff) == 0xd65f00ff || (w & 0xfffffc1f) == 0xd65f0000) {
        step->kind = STEP_RETURN;
    } else if ((w & 0x1f000000) == 0x10000000) { /* adr, adrp */
        int64_t far = levo_signed((w >> 29 & 3) | (w >> 3 & 0x1ffffc), 21);
        step->kind = STEP_SET, step->to = (uint8_t)d;
        step->value = w >> 31 ? (int64_t)(at & ~0xfffULL) + far * 4096 : (int64_t)at + far;
    } else if ((w & 0xff000000) == 0x91000000 || (w & 0xff000000) == 0xd1000000) { /* add, sub of a constant */
        int64_t value = (int64_t)(w >> 10 & 0xfff) << (w >> 22 & 1 ? 12 : 0);
        step->kind = STEP_ADD, step->to = (uint8_t)d, step->from = (uint8_t)n, step->value = w >> 30 & 1 ? -value : value;
    } else if ((w & 0xff00001f) == 0xf100001f || (w & 0xff00001f) == 0x7100001f) { /* cmp with a constant */
        step->kind = STEP_COMPARE, step->to = (uint8_t)n, step->value = w >> 10 & 0xfff;
    } else if ((w & 0xffe0fc1f) == 0xeb00001f) { /* cmp */
        step->kind = STEP_COMPARE, step->to = (uint8_t)n, step->from = (uint8_t)(w >> 16 & 31);
    } else if ((w & 0xffe0ffe0) == 0xaa0003e0) { /* mov */
        unsigned m = w >> 16 & 31;
        step->to = (uint8_t)d;
        if (m == 31)
            step->kind = STEP_SET, step->value = 0;
        else
            step->kind = STEP_COPY, step->from = (uint8_t)m;
    } else if ((w & 0x7f800000) == 0x52800000) { /* movz */
        step->kind = STEP_SET, step->to = (uint8_t)d, step->value = (int64_t)(w >> 5 & 0xffff) << (16 * (w >> 21 & 3));
    } else if ((w & 0x7f800000) == 0x32000000) { /* orr of a constant: how some compilers write mov w, 32 */
        step->to = (uint8_t)d;
        if (n == 31 && (w >> 10 & 0xfff) == (0x1b << 6))
            step->kind = STEP_SET, step->value = 32;
    } else if ((w & 0x3b000000) == 0x39000000) { /* load, store: base and offset, unsigned */
        unsigned size = w >> 30, vector = w >> 26 & 1, opc = w >> 22 & 3;
        unsigned scale = vector && opc >= 2 ? 4 : size;
        step->from = (uint8_t)n, step->value = (int64_t)(w >> 10 & 0xfff) << scale, step->size = (uint8_t)(1 << scale);
        step->kind = (vector ? opc & 1 : opc != 0) ? STEP_LOAD : STEP_STORE;
        step->to = vector ? LEVO_NONE : (uint8_t)d;
        if (size == 3 && opc == 2 && !vector)
            step->kind = STEP_OTHER, step->to = LEVO_NONE; /* prefetch */
    } else if ((w & 0x3b200000) == 0x38000000) { /* ... signed, before, after */
        unsigned size = w >> 30, vector = w >> 26 & 1, opc = w >> 22 & 3, mode = w >> 10 & 3;
        unsigned scale = vector && opc >= 2 ? 4 : size;
        step->from = (uint8_t)n, step->value = mode == 1 ? 0 : levo_signed(w >> 12 & 0x1ff, 9);
        step->size = (uint8_t)(1 << scale);
        step->kind = (vector ? opc & 1 : opc != 0) ? STEP_LOAD : STEP_STORE;
        step->to = vector ? LEVO_NONE : (uint8_t)d;
        if (mode & 1)
            step->moves = (int32_t)levo_signed(w >> 12 & 0x1ff, 9);
    } else if ((w & 0x3b200c00) == 0x38200800) { /* ... with an index */
        step->kind = (w >> 22 & 3) ? STEP_LOAD : STEP_OTHER, step->to = w >> 26 & 1 || !(w >> 22 & 3) ? LEVO_NONE : (uint8_t)d;
        step->from = (uint8_t)n, step->index = (uint8_t)(w >> 16 & 31), step->size = (uint8_t)(1 << (w >> 30));
    } else if ((w & 0x3a000000) == 0x28000000) { /* pairs */
        unsigned vector = w >> 26 & 1, opc = w >> 30, size = vector ? 4u << opc : opc & 2 ? 8 : 4;
        step->kind = w >> 22 & 1 ? STEP_LOAD : STEP_STORE;
        step->from = (uint8_t)n, step->size = (uint8_t)size;
        step->value = (w >> 23 & 3) == 1 ? 0 : levo_signed(w >> 15 & 0x7f, 7) * (int64_t)size;
        step->to = vector ? LEVO_NONE : (uint8_t)d, step->second = vector ? LEVO_NONE : (uint8_t)(w >> 10 & 31);
        if (w >> 23 & 1)
            step->moves = (int32_t)(levo_signed(w >> 15 & 0x7f, 7) * (int64_t)size);
        if (vector)
            step->size = (uint8_t)(2 * size);
    } else if (w == 0xd503201f || (w & 0xffffff1f) == 0xd503201f || (w & 0xff000000) == 0xd5000000) {
        step->to = (w & 0xfff00000) == 0xd5300000 ? (uint8_t)d : LEVO_NONE; /* hints; system registers */
    } else if ((w & 0x1e000000) == 0x0e000000) {
        step->to = LEVO_NONE; /* vectors */
    } else if ((w & 0xffe0001f) == 0xd4200000 || (w & 0xffff0000) == 0) {
        step->kind = STEP_RETURN; /* brk, udf */
    } else
        step->to = (uint8_t)d;
    return 4;
}

#endif
