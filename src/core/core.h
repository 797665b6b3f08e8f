/* core.h -- status codes, the context, errors, accounted memory.  Floor 0: includes nothing
 * of ours.  Every call that can fail returns a tl_status and takes a tl_ctx first; the
 * context carries the one-line message "WHERE: WHAT (WHAT TO DO)" of the last failure. */
#ifndef TL_CORE_CORE_H
#define TL_CORE_CORE_H
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    TL_OK = 0,
    TL_EFAIL,   /* something failed while running                                   */
    TL_EUSAGE,  /* the command or an option is wrong                                */
    TL_EDATA,   /* a data or model file is wrong                                    */
    TL_ELIMIT,  /* over --memory or --budget, or a header that asks for too much    */
    TL_ENOMEM,  /* the allocator gave nothing                                       */
    TL_EIO,     /* reading or writing failed                                        */
    TL_ENOSPC,  /* the disk is full                                                 */
    TL_ECANCEL, /* interrupted by the user; state is saved                          */
    TL_ENAN     /* a loss or gradient became NaN or infinite                        */
} tl_status;

int tl_status_exit(tl_status status); /* the exit status the contract gives it */
const char *tl_status_name(tl_status status);

/* What all contexts of a process share: counters, limits, the cancel flag, faults. */
typedef struct {
    _Atomic size_t  now_bytes, peak_bytes; /* accounted allocations                      */
    size_t          limit_bytes;           /* --memory; 0 means none                     */
    int             threads;               /* compute threads, >= 1                      */
    double          small_flops; /* a plan with fewer runs on one thread; 0: none does   */
    atomic_int      cancel;                /* 1: stop at the next step; 2: at once       */
    _Atomic int64_t fault_alloc, fault_read, fault_write; /* n > 0: the n-th call from
                       now fails (tests only); 0: none */
    void (*log)(void *user, int level, const char *line); /* NULL: silent                */
    void *log_user;
} tl_world;

typedef struct tl_ctx {
    tl_world *world; /* shared, borrowed                                            */
    tl_status status;  /* of the last failure                                      */
    char      message[1024]; /* "WHERE: WHAT (WHAT TO DO)", empty when none        */
} tl_ctx;

void   tl_world_init(tl_world *world); /* all zero, one thread per usable core       */
tl_ctx tl_ctx_make(tl_world *world);   /* one per thread: messages are not shared    */
bool   tl_cancelled(const tl_ctx *ctx);

enum { TL_LOG_DEBUG, TL_LOG_INFO, TL_LOG_WARN };
void tl_log(tl_ctx *ctx, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Record a failure and return `status`.  `where` is a file, "file:line", an option... */
tl_status tl_fail(tl_ctx *ctx, tl_status status, const char *where, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Inside a function with `tl_ctx *ctx`, `tl_status rc` and a label `done`. */
#define TL_TRY(call)                     \
    do {                                 \
        rc = (call);                     \
        if (rc != TL_OK) goto done;      \
    } while (0)
#define TL_FAIL(status, where, ...)                              \
    do {                                                         \
        rc = tl_fail(ctx, (status), (where), __VA_ARGS__);       \
        goto done;                                               \
    } while (0)

/* Zeroed memory, 64-byte aligned, counted in world->now_bytes.  `out` is the address of any
 * object pointer.  TL_ENOMEM, TL_ELIMIT (over world->limit_bytes).  *out is NULL on error. */
tl_status tl_alloc(tl_ctx *ctx, size_t bytes, void *out);
/* count * size with overflow checked. */
tl_status tl_alloc_array(tl_ctx *ctx, size_t count, size_t size, void *out);
/* Grow or shrink *block (may be NULL) to `bytes`; new bytes are zero; kept on error. */
tl_status tl_realloc(tl_ctx *ctx, size_t bytes, void *block);
/* Grows *block, of *room members of `size` bytes, to hold `need`: to twice its size, as each move
 * copies all and leaves a hole. */
tl_status tl_grow(tl_ctx *ctx, void *block, size_t *room, size_t need, size_t size);
void      tl_free(tl_ctx *ctx, const void *block); /* NULL is fine */
/* Counts down; true when this call is the one a test wants to fail. */
bool      tl_fault_now(_Atomic int64_t *countdown);
tl_status tl_strdup(tl_ctx *ctx, const char *text, char **out);

#define TL_COUNT(array) (sizeof(array) / sizeof *(array))
#define TL_MIN(a, b) ((a) < (b) ? (a) : (b))
#define TL_MAX(a, b) ((a) > (b) ? (a) : (b))
#endif
