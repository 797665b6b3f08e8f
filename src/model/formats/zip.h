/* zip.h -- the entries of a zip archive that lies in memory, stored ones only, as PyTorch
 * writes them: no copy is made of a checkpoint's data.  Source: PKWARE's APPNOTE 6.3.10
 * (sections 4.3, 4.5.3).  Floor 2, model.  Fuzz target: tests/fuzz/pytorch.c. */
#ifndef TL_MODEL_ZIP_H
#define TL_MODEL_ZIP_H
#include "model/formats/formats.h"

typedef struct {
    const uint8_t *name; /* in the mapping */
    size_t         name_bytes;
    uint64_t       at, bytes; /* of the local header; of the data; unchecked */
    bool           plain;     /* stored, not encrypted */
} tl_zip_entry;

typedef struct {
    const char   *where;
    tl_map        map;
    tl_zip_entry *entry; /* sorted by name; owned */
    size_t        count;
} tl_zip;

/* Reads the central directory.  TL_EDATA on anything that leaves the file. */
tl_status tl_zip_open(tl_ctx *ctx, const char *where, const tl_map *map, tl_zip *out);
void      tl_zip_close(tl_ctx *ctx, tl_zip *zip);
const tl_zip_entry *tl_zip_find(const tl_zip *zip, const char *name); /* NULL: none */
/* Where an entry's data lies, wholly inside the mapping. */
tl_status tl_zip_data(tl_ctx *ctx, const tl_zip *zip, const tl_zip_entry *entry,
                      tl_map *out);
#endif
