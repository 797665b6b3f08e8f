/* checkpoint.h -- what an interrupted run goes on from: one file with named sections and a
 * SHA-256 over all of it, written beside and renamed, in two generations, so that a torn or
 * damaged file costs one interval and no more.
 * Layout, little-endian: "TLCKPT2\n", u64 bytes of the header, header (JSON: fingerprint,
 * generation, state, sections [{name, bytes}]), the sections, 64 hex digits of the SHA-256 of
 * everything before them.  Floor 3, train. */
#ifndef TL_TRAIN_CHECKPOINT_H
#define TL_TRAIN_CHECKPOINT_H
#include "core/io.h"
#include "core/json.h"

typedef struct { size_t at, bytes; } tl_piece;
/* `bytes` at data, or, where `piece` is given, all pieces of what lies there: `bytes` together. */
typedef struct {
    const char     *name;
    void           *data;
    size_t          bytes;
    const tl_piece *piece;
    size_t          pieces;
} tl_section;

static inline tl_section tl_section_of(const char *name, void *data, size_t bytes)
{
    return (tl_section){ .name = name, .data = data, .bytes = bytes };
}

/* Writes generation `generation` into folder (made if absent) over the one before the last. */
tl_status tl_checkpoint_save(tl_ctx *ctx, const char *folder, const char *fingerprint,
                             int64_t generation, const json_t *state,
                             const tl_section *section, size_t sections);
/* The newest whole one of a folder, mapped; generation -1: there is none.  A damaged file is
 * said (log) and the other one taken.  TL_EUSAGE: it belongs to another run. */
typedef struct {
    int64_t        generation;
    json_t        *header, *state; /* state is borrowed from the header                      */
    char          *path;
    tl_map         map;
    const uint8_t *data;           /* sections, in the mapping                               */
} tl_checkpoint;
tl_status tl_checkpoint_open(tl_ctx *ctx, const char *folder, const char *fingerprint,
                             tl_checkpoint *out);
void      tl_checkpoint_close(tl_ctx *ctx, tl_checkpoint *c); /* safe to repeat */
/* Bytes of a section; -1: there is none. */
int64_t tl_checkpoint_bytes(const tl_checkpoint *c, const char *name);
/* Copies a section of exactly section->bytes to its data; TL_EDATA where there is none. */
tl_status tl_checkpoint_take(tl_ctx *ctx, const tl_checkpoint *c,
                             const tl_section *section);
#endif
