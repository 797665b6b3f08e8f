/* png.c -- PNG by libpng, in and out.  Palettes become RGB, fewer than 8 bits are stretched,
 * of 16 bits the upper 8 count, alpha is dropped as by Pillow's convert("RGB").  (Pillow clips
 * 16-bit grey at 255 instead, which turns pictures white; the upper 8 bits keep them.)
 * Source: the libpng manual.  Floor 2, data. */
#include "data/picture.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    png_structp png;
    png_infop   info;
    tl_ctx     *ctx;
    tl_picture *picture;
    size_t      at;
    bool        ran_out, rows_done;
    char        text[200];
    tl_status   rc;
    tl_image    image;
    uint8_t   **row;
} png_job;

static void leave(png_structp png, png_const_charp text)
{
    char *into = png_get_error_ptr(png);

    snprintf(into, 200, "%s", text);
    png_longjmp(png, 1);
}

static void say_nothing(png_structp png, png_const_charp text)
{
    (void)png, (void)text;
}

/* libpng's memory is ours; want of it must not pass for a damaged file. */
typedef struct {
    tl_ctx   *ctx;
    tl_status rc;
} png_memory;

static png_voidp give(png_structp png, png_alloc_size_t bytes)
{
    png_memory *memory = png_get_mem_ptr(png);
    void       *block  = NULL;
    tl_status   rc     = tl_alloc(memory->ctx, bytes, &block);

    if (rc != TL_OK) memory->rc = rc;
    return block;
}

static void take_back(png_structp png, png_voidp block)
{
    png_memory *memory = png_get_mem_ptr(png);

    tl_free(memory->ctx, block);
}

static void next_bytes(png_structp png, png_bytep into, size_t bytes)
{
    png_job *job = png_get_io_ptr(png);

    if (bytes > job->picture->bytes - job->at) {
        job->ran_out = true;
        png_error(png, "the data ends early");
    }
    memcpy(into, job->picture->data + job->at, bytes);
    job->at += bytes;
}

static void find_turn(png_job *job)
{
    png_uint_32 bytes = 0;
    png_bytep   exif  = NULL;

    if (png_get_eXIf_1(job->png, job->info, &bytes, &exif) && exif)
        job->picture->turn = tl_exif_turn(exif, bytes);
}

/* Asks for 8-bit grey or RGB and makes room; false: job->rc says why. */
static bool prepare(png_job *job)
{
    const int     colour = png_get_color_type(job->png, job->info);
    const bool    grey   = !(colour & PNG_COLOR_MASK_COLOR);
    const int64_t h      = png_get_image_height(job->png, job->info);
    const int64_t w      = png_get_image_width(job->png, job->info);
    int64_t       pitch;

    png_set_strip_16(job->png);
    if (colour == PNG_COLOR_TYPE_PALETTE)
        png_set_palette_to_rgb(job->png);
    else if (grey)
        png_set_expand_gray_1_2_4_to_8(job->png);
    png_set_strip_alpha(job->png);
    png_set_interlace_handling(job->png);
    job->rc = tl_picture_room(job->ctx, job->picture, h, w, grey ? 1 : 3, &job->image);
    if (job->rc == TL_OK)
        job->rc = tl_alloc_array(job->ctx, (size_t)h, sizeof *job->row, &job->row);
    if (job->rc != TL_OK) return false;
    png_read_update_info(job->png, job->info);
    pitch = w * job->image.channels;
    if ((int64_t)png_get_rowbytes(job->png, job->info) != pitch)
        png_error(job->png, "odd row size");
    for (int64_t y = 0; y < h; y++) job->row[y] = job->image.data + y * pitch;
    return true;
}

/* Everything that may jump. */
static bool run(png_job *job)
{
    if (setjmp(png_jmpbuf(job->png))) return false;
    png_set_read_fn(job->png, job, next_bytes);
    png_set_user_limits(job->png, 0x7fffffff, 0x7fffffff);
    png_set_chunk_malloc_max(job->png, 1 << 23);
    png_set_chunk_cache_max(job->png, 64);
    png_read_info(job->png, job->info);
    if (!prepare(job)) return true;
    png_read_image(job->png, job->row);
    job->rows_done = true;
    find_turn(job);
    png_read_end(job->png, job->info);
    find_turn(job);
    return true;
}

tl_status tl_png_decode(tl_ctx *ctx, tl_picture *p, tl_image *out)
{
    png_memory memory = { ctx, TL_OK };
    png_job    job;
    bool       ended;

    memset(&job, 0, sizeof job);
    job.ctx     = ctx;
    job.picture = p;
    job.png     = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, job.text, leave,
                                           say_nothing, &memory, give, take_back);
    job.info    = job.png ? png_create_info_struct(job.png) : NULL;
    ended       = job.info && run(&job);
    if (job.rc == TL_OK) job.rc = memory.rc;
    if (job.rc == TL_OK && !job.info)
        job.rc = tl_fail(ctx, TL_ENOMEM, p->where, "no room to decode");
    if (job.rc == TL_OK && !ended && !job.rows_done)
        job.rc = tl_picture_fail(
            ctx, p, job.ran_out ? TL_PICTURE_SHORT : TL_PICTURE_DAMAGED, job.text);
    if (job.png) png_destroy_read_struct(&job.png, &job.info, NULL);
    tl_free(ctx, job.row);
    if (job.rc != TL_OK) tl_image_free(ctx, &job.image);
    *out = job.image;
    return job.rc;
}

typedef struct {
    png_structp png;
    png_infop   info;
    tl_ctx     *ctx;
    uint8_t    *data;
    size_t      bytes, room;
} png_out;

static void add_bytes(png_structp png, png_bytep from, size_t bytes)
{
    png_out *out = png_get_io_ptr(png);

    if (bytes > out->room - out->bytes) {
        const size_t room = 2 * out->room + bytes + 4096;
        if (tl_realloc(out->ctx, room, &out->data) != TL_OK) png_error(png, "no memory");
        out->room = room;
    }
    memcpy(out->data + out->bytes, from, bytes);
    out->bytes += bytes;
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static bool write_all(png_out *out, const tl_image *image)
{
    const int kind = image->channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;

    if (setjmp(png_jmpbuf(out->png))) return false;
    png_set_write_fn(out->png, out, add_bytes, flush_nothing);
    png_set_IHDR(out->png, out->info, (png_uint_32)image->width,
                 (png_uint_32)image->height, 8, kind, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(out->png, out->info);
    for (int64_t y = 0; y < image->height; y++)
        png_write_row(out->png, image->data + y * image->width * image->channels);
    png_write_end(out->png, out->info);
    return true;
}

tl_status tl_image_write_png(tl_ctx *ctx, const tl_image *image, uint8_t **data,
                             size_t *bytes)
{
    png_memory memory    = { ctx, TL_OK };
    char       text[200] = "";
    png_out    out       = { .ctx = ctx };
    tl_status  rc        = TL_OK;

    *data    = NULL;
    *bytes   = 0;
    out.png  = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, text, leave, say_nothing,
                                         &memory, give, take_back);
    out.info = out.png ? png_create_info_struct(out.png) : NULL;
    if (!out.info || !write_all(&out, image))
        rc = tl_fail(ctx, TL_ENOMEM, "PNG",
                     "no room to write a picture%s%s (free some memory)",
                     *text ? ": " : "", text);
    if (out.png) png_destroy_write_struct(&out.png, &out.info);
    if (rc == TL_OK)
        *data = out.data, *bytes = out.bytes;
    else
        tl_free(ctx, out.data);
    return rc;
}
