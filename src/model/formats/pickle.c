/* pickle.c -- the pickle machine: a stack, a memo, a step per opcode.  Protocols 2 to 5.
 * See pickle.h.  Floor 2, model. */
#include "model/formats/pickle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A state_dict takes about 40 steps a tensor; these allow a hundred thousand tensors. */
enum { STEPS_MOST = 4 << 20, ARENA_MOST = 256 << 20, CHUNK = 1 << 16 };

typedef struct chunk {
    struct chunk *next;
    size_t        used, room;
} chunk;

/* A growing list of pointers; its memory is accounted and freed with the machine. */
typedef struct {
    tl_pickle_value **item;
    size_t            count, room;
} list;

struct tl_pickle {
    const char         *where;
    const uint8_t      *data;
    size_t              at, end, step; /* step: offset of the opcode at hand */
    chunk              *chunks;
    size_t              arena_bytes, steps;
    list                stack, memo;
    size_t             *mark;          /* heights of the stack */
    size_t              marks, marks_room;
    tl_pickle_storage **storage;
    size_t              storages, storages_room;
};

enum { VALUE_FIRST = 64 };

tl_status tl_pickle_bad(tl_ctx *ctx, const tl_pickle *p, const char *format, ...)
{
    tl_place place;
    char     what[400];
    va_list  args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return tl_fail(ctx, TL_EDATA, tl_place_at(&place, p->where, p->step), "%s", what);
}

size_t tl_pickle_step(const tl_pickle *p)
{
    return p->step;
}

tl_status tl_pickle_new(tl_ctx *ctx, const char *where, const uint8_t *data,
                        tl_pickle **out)
{
    const tl_status rc = tl_alloc(ctx, sizeof **out, out);

    if (rc != TL_OK) return rc;
    (*out)->where = where;
    (*out)->data  = data;
    return TL_OK;
}

void tl_pickle_free(tl_ctx *ctx, tl_pickle *p)
{
    if (!p) return;
    for (chunk *c = p->chunks, *next; c; c = next) {
        next = c->next;
        tl_free(ctx, c);
    }
    tl_free(ctx, p->stack.item);
    tl_free(ctx, p->memo.item);
    tl_free(ctx, p->mark);
    tl_free(ctx, p->storage);
    tl_free(ctx, p);
}

tl_status tl_pickle_make(tl_ctx *ctx, tl_pickle *p, size_t bytes, void *out)
{
    const size_t need = (bytes + 15) / 16 * 16, head = 64;
    void        *made;

    if (!p->chunks || p->chunks->room - p->chunks->used < need) {
        const size_t room = TL_MAX((size_t)CHUNK, need);
        chunk       *c;
        tl_status    rc;
        if (p->arena_bytes + room > ARENA_MOST)
            return tl_fail(ctx, TL_ELIMIT, p->where,
                           "asks for over %d MiB of objects (save it as safetensors)",
                           ARENA_MOST >> 20);
        rc = tl_alloc(ctx, head + room, &c);
        if (rc != TL_OK) return rc;
        p->arena_bytes += room;
        *c        = (chunk){ .next = p->chunks, .room = room };
        p->chunks = c;
    }
    made = (char *)p->chunks + head + p->chunks->used;
    p->chunks->used += need;
    memcpy(out, &made, sizeof made);
    return TL_OK;
}

/* Room for one more of `size` bytes in a block of *room. */
static tl_status grow(tl_ctx *ctx, size_t count, size_t *room, size_t size, void *block)
{
    const size_t wider = *room ? 2 * *room : VALUE_FIRST;
    tl_status    rc;

    if (count < *room) return TL_OK;
    rc = tl_realloc(ctx, wider * size, block);
    if (rc == TL_OK) *room = wider;
    return rc;
}

tl_status tl_pickle_note(tl_ctx *ctx, tl_pickle *p, tl_pickle_storage *storage)
{
    const tl_status rc =
        grow(ctx, p->storages, &p->storages_room, sizeof *p->storage, &p->storage);

    if (rc == TL_OK) p->storage[p->storages++] = storage;
    return rc;
}

tl_pickle_storage **tl_pickle_storages(tl_pickle *p, size_t *count)
{
    *count = p->storages;
    return p->storage;
}

/* The next `bytes` of the pickle, or "cut short". */
static tl_status take(tl_ctx *ctx, tl_pickle *p, size_t bytes, const uint8_t **out)
{
    *out = NULL;
    if (bytes > p->end - p->at)
        return tl_pickle_bad(ctx, p, "cut short inside a pickle (fetch the file again)");
    *out = p->data + p->at;
    p->at += bytes;
    return TL_OK;
}

/* A little-endian unsigned number of 1, 2, 4 or 8 bytes. */
static tl_status take_number(tl_ctx *ctx, tl_pickle *p, size_t bytes, uint64_t *out)
{
    const uint8_t  *b;
    const tl_status rc = take(ctx, p, bytes, &b);

    *out = 0;
    for (size_t i = bytes; rc == TL_OK && i > 0; i--) *out = *out << 8 | b[i - 1];
    return rc;
}

static tl_status push_value(tl_ctx *ctx, tl_pickle *p, tl_pickle_value *v)
{
    const tl_status rc =
        grow(ctx, p->stack.count, &p->stack.room, sizeof v, &p->stack.item);

    if (rc == TL_OK) p->stack.item[p->stack.count++] = v;
    return rc;
}

static tl_status push(tl_ctx *ctx, tl_pickle *p, tl_pickle_value v)
{
    tl_pickle_value *made;
    const tl_status  rc = tl_pickle_make(ctx, p, sizeof *made, &made);

    if (rc != TL_OK) return rc;
    *made = v;
    return push_value(ctx, p, made);
}

static size_t floor_of(const tl_pickle *p)
{
    return p->marks ? p->mark[p->marks - 1] : 0;
}

/* The top value leaves the stack; it may not reach below the last mark. */
static tl_status pop(tl_ctx *ctx, tl_pickle *p, tl_pickle_value **out)
{
    *out = NULL;
    if (p->stack.count <= floor_of(p))
        return tl_pickle_bad(ctx, p, "takes from an empty stack (fetch the file again)");
    *out = p->stack.item[--p->stack.count];
    return TL_OK;
}

/* The values above the last mark leave the stack, which stays valid below them. */
static tl_status pop_mark(tl_ctx *ctx, tl_pickle *p, tl_pickle_value ***items,
                          size_t *count)
{
    *items = NULL;
    *count = 0;
    if (p->marks == 0)
        return tl_pickle_bad(ctx, p,
                             "a list ends that did not begin (fetch the file again)");
    p->marks--;
    *count         = p->stack.count - p->mark[p->marks];
    *items         = *count ? p->stack.item + p->mark[p->marks] : NULL;
    p->stack.count = p->mark[p->marks];
    return TL_OK;
}

static tl_status append(tl_ctx *ctx, tl_pickle *p, tl_pickle_value *to,
                        tl_pickle_value *const *items, size_t count)
{
    const size_t all = to->count + count;

    if (all > to->room) {
        const size_t      room = TL_MAX(all, 2 * (size_t)to->room);
        tl_pickle_value **wider;
        const tl_status   rc = tl_pickle_make(ctx, p, room * sizeof *wider, &wider);
        if (rc != TL_OK) return rc;
        if (to->count) memcpy(wider, to->item, to->count * sizeof *wider);
        to->item = wider;
        to->room = (uint32_t)room;
    }
    if (count) memcpy(to->item + to->count, items, count * sizeof *items);
    to->count = (uint32_t)all;
    return TL_OK;
}

static uint8_t opcode(const tl_pickle *p)
{
    return p->data[p->step];
}

/* One function a group of opcodes follows; the table `steps` says which. */

static tl_status op_proto(tl_ctx *ctx, tl_pickle *p)
{
    uint64_t        version;
    const tl_status rc = take_number(ctx, p, 1, &version);

    if (rc == TL_OK && (version < 2 || version > 5))
        return tl_pickle_bad(ctx, p, "pickle protocol %d (save it as safetensors)",
                             (int)version);
    return rc;
}

static tl_status op_frame(tl_ctx *ctx, tl_pickle *p)
{
    uint64_t bytes;

    return take_number(ctx, p, 8, &bytes);
}

static tl_status op_constant(tl_ctx *ctx, tl_pickle *p)
{
    const uint8_t op = opcode(p);

    if (op == 'N') return push(ctx, p, (tl_pickle_value){ .kind = TL_PK_NONE });
    return push(ctx, p, (tl_pickle_value){ .kind = TL_PK_BOOL, .i = op == 0x88 });
}

/* BININT1, BININT2 are unsigned, BININT signed. */
static tl_status op_int(tl_ctx *ctx, tl_pickle *p)
{
    const uint8_t op    = opcode(p);
    const size_t  bytes = op == 'K' ? 1 : op == 'M' ? 2 : 4;
    uint64_t      v;
    tl_status     rc = take_number(ctx, p, bytes, &v);

    if (rc != TL_OK) return rc;
    return push(ctx, p, (tl_pickle_value){ .kind = TL_PK_INT,
                                           .i = bytes == 4 ? (int32_t)v : (int64_t)v });
}

/* LONG1, LONG4: two's complement of any width; beyond 8 bytes it stays bytes. */
static tl_status op_long(tl_ctx *ctx, tl_pickle *p)
{
    tl_pickle_value v = { .kind = TL_PK_LONG };
    uint64_t        bytes, bits = 0;
    const uint8_t  *b;
    tl_status       rc = take_number(ctx, p, opcode(p) == 0x8a ? 1 : 4, &bytes);

    if (rc == TL_OK) rc = take(ctx, p, bytes, &b);
    if (rc != TL_OK) return rc;
    v.text.at    = b;
    v.text.bytes = bytes;
    if (bytes <= 8) {
        if (bytes && b[bytes - 1] & 0x80) bits = UINT64_MAX;
        for (size_t i = bytes; i > 0; i--) bits = bits << 8 | b[i - 1];
        v = (tl_pickle_value){ .kind = TL_PK_INT, .i = (int64_t)bits };
    }
    return push(ctx, p, v);
}

static tl_status op_real(tl_ctx *ctx, tl_pickle *p)
{
    tl_pickle_value v = { .kind = TL_PK_REAL };
    uint64_t        bits = 0;
    const uint8_t  *b;
    const tl_status rc = take(ctx, p, 8, &b);

    if (rc != TL_OK) return rc;
    for (int i = 0; i < 8; i++) bits = bits << 8 | b[i];
    memcpy(&v.real, &bits, sizeof bits);
    return push(ctx, p, v);
}

/* Texts and bytes with a length of 1, 4 or 8 bytes; they stay in the mapping. */
static tl_status op_text(tl_ctx *ctx, tl_pickle *p)
{
    const uint8_t   op   = opcode(p);
    const size_t    wide = op == 'X' || op == 'T' || op == 'B' ? 4
                         : op == 0x8d || op == 0x8e            ? 8 : 1;
    tl_pickle_value v    = { .kind = TL_PK_TEXT };
    uint64_t        bytes;
    tl_status       rc = take_number(ctx, p, wide, &bytes);

    if (rc == TL_OK) rc = take(ctx, p, bytes, &v.text.at);
    if (rc != TL_OK) return rc;
    v.text.bytes = bytes;
    return push(ctx, p, v);
}

static tl_status op_mark(tl_ctx *ctx, tl_pickle *p)
{
    const tl_status rc = grow(ctx, p->marks, &p->marks_room, sizeof *p->mark, &p->mark);

    if (rc == TL_OK) p->mark[p->marks++] = p->stack.count;
    return rc;
}

static tl_status op_pop(tl_ctx *ctx, tl_pickle *p)
{
    tl_pickle_value *v, **items;
    size_t           count;

    if (opcode(p) == '1') return pop_mark(ctx, p, &items, &count);
    if (p->marks && p->stack.count == floor_of(p)) {
        p->marks--;
        return TL_OK;
    }
    return pop(ctx, p, &v);
}

static tl_status op_empty(tl_ctx *ctx, tl_pickle *p)
{
    const uint8_t op = opcode(p);

    return push(ctx, p,
                (tl_pickle_value){ .kind = op == '}'   ? TL_PK_DICT
                                           : op == ']' ? TL_PK_LIST
                                                       : TL_PK_TUPLE });
}

/* TUPLE, TUPLE1, TUPLE2, TUPLE3; LIST and DICT of what lies above the mark. */
static tl_status op_collect(tl_ctx *ctx, tl_pickle *p)
{
    const uint8_t     op    = opcode(p);
    tl_pickle_value   v     = { .kind = op == 'l'   ? TL_PK_LIST
                                        : op == 'd' ? TL_PK_DICT : TL_PK_TUPLE };
    tl_pickle_value **items = NULL;
    size_t            count = op >= 0x85 && op <= 0x87 ? op - 0x84 : 0;
    tl_status         rc    = TL_OK;

    if (count == 0) {
        rc = pop_mark(ctx, p, &items, &count);
    } else {
        if (p->stack.count - floor_of(p) < count)
            return tl_pickle_bad(ctx, p,
                                 "takes from an empty stack (fetch the file again)");
        p->stack.count -= count;
        items = p->stack.item + p->stack.count;
    }
    if (rc == TL_OK && op == 'd' && count % 2)
        return tl_pickle_bad(ctx, p,
                             "a dict with a key and no value (fetch the file again)");
    if (rc == TL_OK) rc = append(ctx, p, &v, items, count);
    return rc == TL_OK ? push(ctx, p, v) : rc;
}

/* APPEND, APPENDS, SETITEM, SETITEMS: into the list or dict now on top. */
static tl_status op_insert(tl_ctx *ctx, tl_pickle *p)
{
    const uint8_t     op   = opcode(p);
    const bool        dict = op == 's' || op == 'u';
    tl_pickle_value **items, *to;
    size_t            count = dict ? 2 : 1;
    tl_status         rc    = TL_OK;

    if (op == 'u' || op == 'e') {
        rc = pop_mark(ctx, p, &items, &count);
        if (rc != TL_OK) return rc;
    } else {
        if (p->stack.count - floor_of(p) < count)
            return tl_pickle_bad(ctx, p,
                                 "takes from an empty stack (fetch the file again)");
        p->stack.count -= count;
        items = p->stack.item + p->stack.count;
    }
    if (p->stack.count <= floor_of(p) || count % (dict ? 2 : 1))
        return tl_pickle_bad(ctx, p, "puts items into nothing (fetch the file again)");
    to = p->stack.item[p->stack.count - 1];
    if (to->kind != (dict ? TL_PK_DICT : TL_PK_LIST))
        return tl_pickle_bad(ctx, p,
                             "puts items into what is no %s (save it as safetensors)",
                             dict ? "dict" : "list");
    return append(ctx, p, to, items, count);
}

/* BINPUT, LONG_BINPUT, MEMOIZE.  Picklers number from 0 up, so an index beyond the steps
 * taken is an attack on memory. */
static tl_status op_put(tl_ctx *ctx, tl_pickle *p)
{
    const uint8_t op = opcode(p);
    uint64_t      at = p->memo.count;
    tl_status     rc = op == 0x94 ? TL_OK : take_number(ctx, p, op == 'q' ? 1 : 4, &at);

    if (rc != TL_OK) return rc;
    if (p->stack.count <= floor_of(p))
        return tl_pickle_bad(ctx, p, "remembers nothing (fetch the file again)");
    if (at >= p->steps)
        return tl_pickle_bad(ctx, p,
                             "memo index %" PRIu64 " out of order (refused: save it as "
                             "safetensors)",
                             at);
    while (p->memo.count <= at) {
        rc = grow(ctx, p->memo.count, &p->memo.room, sizeof *p->memo.item, &p->memo.item);
        if (rc != TL_OK) return rc;
        p->memo.item[p->memo.count++] = NULL;
    }
    p->memo.item[at] = p->stack.item[p->stack.count - 1];
    return TL_OK;
}

static tl_status op_get(tl_ctx *ctx, tl_pickle *p)
{
    uint64_t        at;
    const tl_status rc = take_number(ctx, p, opcode(p) == 'h' ? 1 : 4, &at);

    if (rc != TL_OK) return rc;
    if (at >= p->memo.count || !p->memo.item[at])
        return tl_pickle_bad(ctx, p,
                             "recalls what was never remembered (fetch the file again)");
    return push_value(ctx, p, p->memo.item[at]);
}

/* A text up to a newline, which GLOBAL's two arguments are. */
static tl_status take_line(tl_ctx *ctx, tl_pickle *p, tl_pickle_value *out)
{
    const uint8_t *from = p->data + p->at, *end = memchr(from, '\n', p->end - p->at);

    if (!end)
        return tl_pickle_bad(ctx, p, "cut short inside a pickle (fetch the file again)");
    *out = (tl_pickle_value){ .kind = TL_PK_TEXT,
                              .text = { from, (size_t)(end - from) } };
    p->at += (size_t)(end - from) + 1;
    return TL_OK;
}

static tl_status op_global(tl_ctx *ctx, tl_pickle *p)
{
    tl_pickle_value  line[2], *module = &line[0], *name = &line[1];
    tl_pickle_value  v  = { .kind = TL_PK_GLOBAL };
    tl_status        rc;

    if (opcode(p) == 'c') {
        rc = take_line(ctx, p, module);
        if (rc == TL_OK) rc = take_line(ctx, p, name);
    } else {
        rc = pop(ctx, p, &name);
        if (rc == TL_OK) rc = pop(ctx, p, &module);
    }
    if (rc == TL_OK) rc = tl_pickle_find(ctx, p, module, name, &v.global);
    return rc == TL_OK ? push(ctx, p, v) : rc;
}

static tl_status op_reduce(tl_ctx *ctx, tl_pickle *p)
{
    tl_pickle_value *args, *callee, made = { .kind = TL_PK_NONE };
    tl_status        rc = pop(ctx, p, &args);

    if (rc == TL_OK) rc = pop(ctx, p, &callee);
    if (rc == TL_OK) rc = tl_pickle_call(ctx, p, callee, args, &made);
    return rc == TL_OK ? push(ctx, p, made) : rc;
}

/* BUILD sets attributes: a state_dict's OrderedDict carries _metadata so.  Only a dict's
 * own dict of attributes is let through, and is not kept. */
static tl_status op_build(tl_ctx *ctx, tl_pickle *p)
{
    tl_pickle_value *state;
    tl_status        rc = pop(ctx, p, &state);

    if (rc != TL_OK) return rc;
    if (p->stack.count <= floor_of(p) || state->kind != TL_PK_DICT ||
        p->stack.item[p->stack.count - 1]->kind != TL_PK_DICT)
        return tl_pickle_bad(ctx, p,
                             "sets the state of an object (refused: Tailor never runs "
                             "code in a weight file; save it as safetensors)");
    return TL_OK;
}

static tl_status op_persistent(tl_ctx *ctx, tl_pickle *p)
{
    tl_pickle_value *id, made = { .kind = TL_PK_NONE };
    tl_status        rc = pop(ctx, p, &id);

    if (rc == TL_OK) rc = tl_pickle_persistent(ctx, p, id, &made);
    return rc == TL_OK ? push(ctx, p, made) : rc;
}

typedef tl_status step(tl_ctx *ctx, tl_pickle *p);
static step *const steps[256] = {
    [0x80] = op_proto,   [0x95] = op_frame,
    ['N'] = op_constant, [0x88] = op_constant, [0x89] = op_constant,
    ['K'] = op_int,      ['M'] = op_int,       ['J'] = op_int,
    [0x8a] = op_long,    [0x8b] = op_long,     ['G'] = op_real,
    ['X'] = op_text,     ['T'] = op_text,      ['U'] = op_text,      ['B'] = op_text,
    ['C'] = op_text,     [0x8c] = op_text,     [0x8d] = op_text,     [0x8e] = op_text,
    ['('] = op_mark,     ['0'] = op_pop,       ['1'] = op_pop,
    ['}'] = op_empty,    [']'] = op_empty,     [')'] = op_empty,
    ['t'] = op_collect,  ['l'] = op_collect,   ['d'] = op_collect,
    [0x85] = op_collect, [0x86] = op_collect,  [0x87] = op_collect,
    ['a'] = op_insert,   ['e'] = op_insert,    ['s'] = op_insert,    ['u'] = op_insert,
    ['q'] = op_put,      ['r'] = op_put,       [0x94] = op_put,
    ['h'] = op_get,      ['j'] = op_get,
    ['c'] = op_global,   [0x93] = op_global,   ['R'] = op_reduce,    ['b'] = op_build,
    ['Q'] = op_persistent,
};

tl_status tl_pickle_read(tl_ctx *ctx, tl_pickle *p, size_t *at, size_t end,
                         tl_pickle_value **out)
{
    const uint8_t *op;
    tl_status      rc;

    p->at          = p->step = *at;
    p->end         = end;
    p->stack.count = p->memo.count = p->marks = 0;
    for (;;) {
        p->step = p->at;
        TL_TRY(take(ctx, p, 1, &op));
        if (*op == '.') break;
        if (++p->steps > STEPS_MOST)
            TL_FAIL(TL_ELIMIT, p->where,
                    "a pickle of over %d steps (save it as safetensors)", STEPS_MOST);
        if (!steps[*op]) {
            rc = tl_pickle_bad(ctx, p, "pickle opcode 0x%02x is not one of a state_dict "
                               "(refused: save it as safetensors)", *op);
            goto done;
        }
        TL_TRY(steps[*op](ctx, p));
    }
    p->marks = 0;
    TL_TRY(pop(ctx, p, out));
    *at = p->at;
done:
    return rc;
}
