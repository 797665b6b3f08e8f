/* heap.c -- memory of a template and of its rendering, ended as one, and how errors leave.  Floor
 * 2, data. */
#include "data/chat/inside.h"

#include <stdio.h>
#include <string.h>

enum { CHUNK = 1 << 14, MOST = 128 << 20 };

struct tl_jchunk {
    tl_jchunk *before;
};

void tl_jheap_end(tl_jheap *h)
{
    while (h->chunk) {
        tl_jchunk *before = h->chunk->before;
        tl_free(h->ctx, h->chunk);
        h->chunk = before;
    }
}

_Noreturn static void leave(tl_jheap *h, tl_status status)
{
    h->status = status;
    longjmp(h->out, 1);
}

static void more(tl_jheap *h, size_t bytes)
{
    const size_t head = 64, size = TL_MAX(bytes + head, (size_t)CHUNK);
    tl_jchunk   *chunk;

    if (size > MOST || h->taken > MOST - size) {
        tl_fail(h->ctx, TL_ELIMIT, h->where,
                "the template takes over 128 MB (take another template)");
        leave(h, TL_ELIMIT);
    }
    if (tl_alloc(h->ctx, size, &chunk) != TL_OK) leave(h, h->ctx->status);
    chunk->before = h->chunk;
    h->chunk      = chunk;
    h->at         = (char *)chunk + head;
    h->left       = size - head;
    h->taken += size;
}

void *tl_jtake(tl_jheap *h, size_t bytes)
{
    const size_t size = (bytes + 15) / 16 * 16;
    void        *at;

    if (size < bytes || size > h->left) more(h, TL_MAX(size, bytes));
    at = h->at;
    h->at += size;
    h->left -= size;
    return at;
}

_Noreturn void tl_jfail(tl_jheap *h, const char *format, ...)
{
    char    text[400], place[480];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    snprintf(place, sizeof place, "%.400s:%d", h->where, h->line);
    tl_fail(h->ctx, TL_EDATA, place, "%s", text);
    leave(h, TL_EDATA);
}

void tl_jstep(tl_jheap *h)
{
    if (++h->steps <= TL_J_MOST_STEPS) return;
    tl_fail(h->ctx, TL_ELIMIT, h->where,
            "the template does not come to an end (take another template)");
    leave(h, TL_ELIMIT);
}

void tl_jdeeper(tl_jheap *h)
{
    if (++h->depth > TL_J_MOST_DEPTH) tl_jfail(h, "nests too deep (take another template)");
}
