/* core.c -- status, context, accounted memory.  Floor 0. */
#include "core/core.h"
#include "core/machine.h"
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In front of every block, a cache line of its own so that blocks stay 64-byte aligned. */
typedef struct {
    size_t bytes;
    char   pad[64 - sizeof(size_t)];
} block_head;

static const struct { const char *name; int exit; } kinds[] = {
    [TL_OK] = { "ok", 0 },           [TL_EFAIL] = { "failed", 1 },
    [TL_EUSAGE] = { "usage", 2 },    [TL_EDATA] = { "data", 3 },
    [TL_ELIMIT] = { "limit", 4 },    [TL_ENOMEM] = { "memory", 4 },
    [TL_EIO] = { "io", 1 },          [TL_ENOSPC] = { "disk full", 4 },
    [TL_ECANCEL] = { "interrupted", 130 }, [TL_ENAN] = { "not a number", 1 },
};

int tl_status_exit(tl_status status)
{
    return (size_t)status < TL_COUNT(kinds) ? kinds[status].exit : 1;
}

const char *tl_status_name(tl_status status)
{
    return (size_t)status < TL_COUNT(kinds) ? kinds[status].name : "unknown";
}

void tl_world_init(tl_world *world)
{
    memset(world, 0, sizeof *world);
    world->threads     = tl_machine_threads();
    world->small_flops = 5e7;
}

tl_ctx tl_ctx_make(tl_world *world)
{
    return (tl_ctx){ .world = world };
}

bool tl_cancelled(const tl_ctx *ctx)
{
    return atomic_load_explicit(&ctx->world->cancel, memory_order_relaxed) != 0;
}

void tl_log(tl_ctx *ctx, int level, const char *format, ...)
{
    char    line[1024];
    va_list args;

    if (!ctx->world->log) return;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    tl_one_line(line);
    ctx->world->log(ctx->world->log_user, level, line);
}

tl_status tl_fail(tl_ctx *ctx, tl_status status, const char *where, const char *format, ...)
{
    char    what[sizeof ctx->message];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    if (where && *where)
        snprintf(ctx->message, sizeof ctx->message, "%.400s: %.600s", where, what);
    else
        snprintf(ctx->message, sizeof ctx->message, "%s", what);
    tl_one_line(ctx->message); /* names of files and columns are others' texts */
    ctx->status = status;
    return status;
}

bool tl_fault_now(_Atomic int64_t *countdown)
{
    if (atomic_load_explicit(countdown, memory_order_relaxed) <= 0) return false;
    return atomic_fetch_sub(countdown, 1) == 1;
}

static tl_status claim(tl_ctx *ctx, size_t bytes)
{
    tl_world *world = ctx->world;
    size_t    now   = atomic_fetch_add(&world->now_bytes, bytes) + bytes;
    size_t    peak  = atomic_load(&world->peak_bytes);

    if (world->limit_bytes && now > world->limit_bytes) {
        atomic_fetch_sub(&world->now_bytes, bytes);
        return tl_fail(ctx, TL_ELIMIT, "--memory",
                       "%zu MiB more would pass the limit of %zu MiB (raise --memory or "
                       "lower --batch-size)", bytes >> 20, world->limit_bytes >> 20);
    }
    while (now > peak && !atomic_compare_exchange_weak(&world->peak_bytes, &peak, now)) {}
    return TL_OK;
}

static tl_status out_of_memory(tl_ctx *ctx, size_t bytes)
{
    return tl_fail(ctx, TL_ENOMEM, "memory", "no room for %zu bytes (lower --batch-size or "
                   "set --memory)", bytes);
}

tl_status tl_alloc(tl_ctx *ctx, size_t bytes, void *out)
{
    block_head *head = NULL;
    void       *user = NULL;
    tl_status   rc;

    memcpy(out, &user, sizeof user);
    if (bytes > SIZE_MAX / 2 || tl_fault_now(&ctx->world->fault_alloc))
        return out_of_memory(ctx, bytes);
    rc = claim(ctx, bytes);
    if (rc != TL_OK) return rc;
    if (posix_memalign((void **)&head, 64, sizeof *head + (bytes ? bytes : 1)) != 0) {
        atomic_fetch_sub(&ctx->world->now_bytes, bytes);
        return out_of_memory(ctx, bytes);
    }
    memset(head, 0, sizeof *head + (bytes ? bytes : 1));
    head->bytes = bytes;
    user        = head + 1;
    memcpy(out, &user, sizeof user);
    return TL_OK;
}

tl_status tl_alloc_array(tl_ctx *ctx, size_t count, size_t size, void *out)
{
    void *none = NULL;

    memcpy(out, &none, sizeof none);
    if (size && count > SIZE_MAX / 2 / size) return out_of_memory(ctx, SIZE_MAX);
    return tl_alloc(ctx, count * size, out);
}

tl_status tl_realloc(tl_ctx *ctx, size_t bytes, void *block)
{
    void     *old, *new = NULL;
    size_t    had;
    tl_status rc;

    memcpy(&old, block, sizeof old);
    had = old ? ((block_head *)old - 1)->bytes : 0;
    rc  = tl_alloc(ctx, bytes, &new);
    if (rc != TL_OK) return rc;
    if (old) memcpy(new, old, TL_MIN(had, bytes));
    tl_free(ctx, old);
    memcpy(block, &new, sizeof new);
    return TL_OK;
}

tl_status tl_grow(tl_ctx *ctx, void *block, size_t *room, size_t need, size_t size)
{
    if (need <= *room) return TL_OK;
    const size_t more = TL_MAX(need, 2 * *room + 64);
    tl_status    rc =
        more > SIZE_MAX / size ? out_of_memory(ctx, SIZE_MAX) : tl_realloc(ctx, more * size, block);
    if (rc == TL_OK) *room = more;
    return rc;
}

void tl_free(tl_ctx *ctx, const void *block)
{
    block_head *head;

    if (!block) return;
    head = (block_head *)(uintptr_t)block - 1;
    atomic_fetch_sub(&ctx->world->now_bytes, head->bytes);
    free(head);
}

tl_status tl_strdup(tl_ctx *ctx, const char *text, char **out)
{
    size_t    bytes = strlen(text) + 1;
    tl_status rc    = tl_alloc(ctx, bytes, out);

    if (rc == TL_OK) memcpy(*out, text, bytes);
    return rc;
}
