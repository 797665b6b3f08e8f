/* io.h -- files in (plain or gzip), whole files, atomic files out, folders.  Floor 0.
 * Errors name the place as "file@offset"; the n-th read or write can be made to fail
 * (tl_world.fault_read, fault_write) so that tests see every error path. */
#ifndef TL_CORE_IO_H
#define TL_CORE_IO_H
#include "core/core.h"

/* A file read from front to back; gzip is unpacked on the way (by its magic bytes). */
typedef struct tl_input tl_input;
tl_status tl_input_open(tl_ctx *ctx, const char *path, tl_input **out);
void      tl_input_close(tl_ctx *ctx, tl_input *in);
/* Exactly `bytes`, or TL_EDATA "cut short". */
tl_status tl_read_full(tl_ctx *ctx, tl_input *in, void *data, size_t bytes);
/* Up to `bytes`; *got = 0 at the end. */
tl_status tl_read_some(tl_ctx *ctx, tl_input *in, void *data, size_t bytes, size_t *got);
const char *tl_input_where(tl_input *in); /* "file@offset", for TL_FAIL; valid until the
                                             next call with `in`                          */

/* A whole file in memory; at most `limit` bytes (TL_ELIMIT).  A zero byte follows it.
 * Pieces of gzip are not unpacked.  Ended with tl_free. */
tl_status tl_file_read(tl_ctx *ctx, const char *path, size_t limit, uint8_t **data, size_t *bytes);

/* A file mapped read-only, so that big weights cost no copy. */
typedef struct { const uint8_t *data; size_t bytes; } tl_map;
tl_status tl_map_open(tl_ctx *ctx, const char *path, tl_map *out);
void      tl_map_close(tl_ctx *ctx, tl_map *map); /* safe to repeat */
/* Writes a file and maps it; where the disk is full (*held) the map is a copy in memory, which
 * nobody finds later. */
tl_status tl_file_keep(tl_ctx *ctx, const char *path, const void *data, size_t bytes, tl_map *out,
                       bool *held);

/* A file that appears under its name only when whole: written beside, flushed to disk and
 * renamed by commit; close without commit removes it.  TL_ENOSPC when the disk is full. */
typedef struct tl_output tl_output;
tl_status tl_output_open(tl_ctx *ctx, const char *path, tl_output **out);
tl_status tl_write(tl_ctx *ctx, tl_output *out, const void *data, size_t bytes);
tl_status tl_output_commit(tl_ctx *ctx, tl_output *out); /* then close */
void      tl_output_close(tl_ctx *ctx, tl_output *out);
tl_status tl_file_write(tl_ctx *ctx, const char *path, const void *data, size_t bytes);

/* A log that grows: append to it (made if absent), cut it to its first `bytes`. */
tl_status tl_file_append(tl_ctx *ctx, const char *path, const void *data, size_t bytes);
tl_status tl_file_cut(tl_ctx *ctx, const char *path, size_t bytes);

bool      tl_exists(const char *path);
bool      tl_is_folder(const char *path);
int64_t   tl_file_bytes(const char *path); /* -1 when there is none */
tl_status tl_make_folders(tl_ctx *ctx, const char *path); /* like mkdir -p */
tl_status tl_remove_tree(tl_ctx *ctx, const char *path);  /* a missing one is fine */

/* Names in a folder, sorted by bytes, without "." and ".." and hidden ones. */
typedef struct { char **name; size_t count; } tl_names;
tl_status tl_folder_list(tl_ctx *ctx, const char *path, tl_names *out);
void      tl_names_free(tl_ctx *ctx, tl_names *names);

/* "folder/name" in ctx memory. */
tl_status tl_path_join(tl_ctx *ctx, const char *folder, const char *name, char **out);
const char *tl_path_name(const char *path);      /* after the last slash                  */
bool        tl_ends_with(const char *text, const char *end);

static inline uint32_t tl_be32(const uint8_t *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}
static inline uint64_t tl_le64(const uint8_t *b)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--) v = v << 8 | b[i];
    return v;
}
#endif
