/* picture.h -- the decoders behind image.h, and what can be wrong with a picture file.
 * Inside the data room only.  Floor 2, data. */
#ifndef TL_DATA_PICTURE_H
#define TL_DATA_PICTURE_H
#include "data/image.h"

/* What is wrong with a file: bad rows are counted by these. */
typedef enum {
    TL_PICTURE_FINE,
    TL_PICTURE_EMPTY,
    TL_PICTURE_UNKNOWN,     /* not a JPEG, PNG or WebP by its first bytes        */
    TL_PICTURE_SHORT,       /* the file ends before its picture does             */
    TL_PICTURE_DAMAGED,
    TL_PICTURE_UNSUPPORTED, /* a variant that the libraries here do not decode   */
    TL_PICTURE_BIG,         /* more pixels than allowed                          */
    TL_PICTURE_MISSING,     /* no such file, or not readable                     */
    TL_PICTURE_FAULTS
} tl_picture_fault;
const char *tl_picture_fault_name(tl_picture_fault fault); /* "cut short" */

/* One file's bytes on their way through a decoder. */
typedef struct {
    const char      *where;   /* for messages; borrowed, as is data             */
    const uint8_t   *data;
    size_t           bytes;
    int64_t          limit;   /* pixels                                         */
    tl_picture_fault fault;   /* set by tl_picture_fail                         */
    int              turn;    /* EXIF orientation 1..8, found while reading     */
} tl_picture;

enum { TL_PICTURE_PIXELS = 89478485 }; /* Pillow's MAX_IMAGE_PIXELS */
enum { TL_PICTURE_FILE_BYTES = 1 << 29 };

/* Records fault and message; the status that goes with the fault. */
tl_status tl_picture_fail(tl_ctx *ctx, tl_picture *p, tl_picture_fault fault, const char *detail);
/* Sizes within the limit, or TL_PICTURE_BIG / DAMAGED; allocates out->data. */
tl_status tl_picture_room(tl_ctx *ctx, tl_picture *p, int64_t height, int64_t width,
                          int64_t channels, tl_image *out);

tl_status tl_jpeg_decode(tl_ctx *ctx, tl_picture *p, tl_image *out);
tl_status tl_png_decode(tl_ctx *ctx, tl_picture *p, tl_image *out);
tl_status tl_webp_decode(tl_ctx *ctx, tl_picture *p, tl_image *out);

/* As stored (1 or 3 channels), upright. */
tl_status tl_picture_decode(tl_ctx *ctx, tl_picture *p, tl_image *out);

/* To 1 or 3 channels in place; 0: as it is.  Unchanged on error. */
tl_status tl_image_channels(tl_ctx *ctx, int64_t channels, tl_image *image);

/* Upright sizes and channels from the header alone, walking the container by hand.  *whole is
 * false when the container's end is not where it should be: only decoding can tell then. */
tl_status tl_picture_header(tl_ctx *ctx, tl_picture *p, tl_image *out, bool *whole);
/* Is the file at `path` likely to decode?  Header and end are looked at; where the end looks
 * wrong, or `deep`, it is decoded.  *fault says what is wrong; TL_OK either way, but for
 * failures that are not the file's (memory). */
tl_status tl_picture_check(tl_ctx *ctx, const char *path, bool deep, tl_image *size,
                           tl_picture_fault *fault);

/* Orientation tag of an EXIF block (a TIFF header): 1..8, 1 when absent or malformed. */
int tl_exif_turn(const uint8_t *tiff, size_t bytes);
bool tl_is_picture_name(const char *name); /* by its ending */
#endif
