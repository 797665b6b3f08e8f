/* jpeg.c -- JPEG by libjpeg-turbo, with its exits turned into statuses.  As Pillow: accurate
 * integer DCT, smooth chroma, CMYK taken as Adobe's inverted form.  Data that ends before the
 * picture is an error; a missing end marker alone is not.
 * Sources: libjpeg-turbo's libjpeg.txt; Pillow's JpegDecode.c and Convert.c.  Floor 2, data. */
#include "data/picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum { MOST_SCANS = 100 }; /* of a progressive file: more only cost time */

typedef struct {
    struct jpeg_decompress_struct info;
    struct jpeg_error_mgr         error;
    struct jpeg_progress_mgr      progress;
    jmp_buf                       escape;
    char                          text[JMSG_LENGTH_MAX];
    bool                          ran_out, bits_missing, too_many_scans;
    tl_status                     rc;
    tl_image                      image;
    uint8_t                      *cmyk; /* one row */
    tl_ctx                       *ctx;
    tl_picture                   *picture;
} jpeg_job;

static void leave(j_common_ptr info)
{
    jpeg_job *job = info->client_data;

    info->err->format_message(info, job->text);
    longjmp(job->escape, 1);
}

static void note_warning(j_common_ptr info, int level)
{
    jpeg_job *job = info->client_data;

    if (level >= 0) return;
    if (info->err->msg_code == JWRN_JPEG_EOF) job->ran_out = true;
    if (info->err->msg_code == JWRN_HIT_MARKER && job->ran_out) job->bits_missing = true;
}

static void say_nothing(j_common_ptr info)
{
    (void)info;
}

static void count_scans(j_common_ptr info)
{
    jpeg_job *job = info->client_data;

    if (!info->is_decompressor || job->info.input_scan_number <= MOST_SCANS) return;
    job->too_many_scans = true;
    snprintf(job->text, sizeof job->text, "more than %d scans", MOST_SCANS);
    longjmp(job->escape, 1);
}

static uint8_t over_255(uint32_t a, uint32_t b)
{
    const uint32_t t = a * b + 128;

    return (uint8_t)(((t >> 8) + t) >> 8);
}

/* Adobe stores 255 - ink: R = K - K * (255 - C) / 255, rounded as Pillow does. */
static void rgb_from_cmyk(const uint8_t *from, uint8_t *to, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++, from += 4, to += 3)
        for (int c = 0; c < 3; c++)
            to[c] = (uint8_t)(from[3] - over_255(255u - from[c], from[3]));
}

static void find_turn(jpeg_job *job)
{
    for (jpeg_saved_marker_ptr m = job->info.marker_list; m; m = m->next)
        if (m->data_length > 6 && memcmp(m->data, "Exif\0\0", 6) == 0) {
            job->picture->turn = tl_exif_turn(m->data, m->data_length);
            return;
        }
}

/* Sizes, colour and memory; false: job->rc says why. */
static bool prepare(jpeg_job *job)
{
    struct jpeg_decompress_struct *info = &job->info;
    const int                      n    = info->num_components;

    if (n != 1 && n != 3 && n != 4) {
        job->rc = tl_picture_fail(job->ctx, job->picture, TL_PICTURE_UNSUPPORTED,
                                  "neither grey, colour nor CMYK");
        return false;
    }
    info->out_color_space = n == 1 ? JCS_GRAYSCALE : n == 3 ? JCS_RGB : JCS_CMYK;
    job->rc               = tl_picture_room(job->ctx, job->picture, info->image_height,
                                            info->image_width, n == 1 ? 1 : 3, &job->image);
    if (job->rc == TL_OK && n == 4)
        job->rc = tl_alloc(job->ctx, (size_t)info->image_width * 4, &job->cmyk);
    return job->rc == TL_OK;
}

static void read_rows(jpeg_job *job)
{
    const int64_t pitch = job->image.width * job->image.channels;

    while (job->info.output_scanline < job->info.output_height) {
        uint8_t *row  = job->image.data + (int64_t)job->info.output_scanline * pitch;
        uint8_t *into = job->cmyk ? job->cmyk : row;
        jpeg_read_scanlines(&job->info, &into, 1);
        if (job->cmyk) rgb_from_cmyk(job->cmyk, row, job->image.width);
    }
}

/* Everything that may jump; what it learns lies in *job. */
static bool run(jpeg_job *job)
{
    if (setjmp(job->escape)) return false;
    jpeg_create_decompress(&job->info);
    job->info.client_data = job;
    job->info.progress    = &job->progress;
    jpeg_mem_src(&job->info, job->picture->data, (unsigned long)job->picture->bytes);
    jpeg_save_markers(&job->info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&job->info, TRUE);
    find_turn(job);
    if (!prepare(job)) return true;
    jpeg_start_decompress(&job->info);
    read_rows(job);
    return true;
}

tl_status tl_jpeg_decode(tl_ctx *ctx, tl_picture *p, tl_image *out)
{
    jpeg_job job;
    bool     ended;

    memset(&job, 0, sizeof job);
    job.ctx                       = ctx;
    job.picture                   = p;
    job.info.err                  = jpeg_std_error(&job.error);
    job.info.client_data          = &job;
    job.error.error_exit          = leave;
    job.error.emit_message        = note_warning;
    job.error.output_message      = say_nothing;
    job.progress.progress_monitor = count_scans;
    ended                         = run(&job);
    if (job.rc == TL_OK && job.ran_out &&
        (!ended || job.bits_missing || job.info.progressive_mode))
        job.rc = tl_picture_fail(ctx, p, TL_PICTURE_SHORT, "");
    else if (job.rc == TL_OK && !ended && job.error.msg_code == JERR_OUT_OF_MEMORY)
        job.rc =
            tl_fail(ctx, TL_ENOMEM, p->where, "no room to decode (free some memory)");
    else if (job.rc == TL_OK && !ended)
        job.rc = tl_picture_fail(
            ctx, p, job.too_many_scans ? TL_PICTURE_UNSUPPORTED : TL_PICTURE_DAMAGED,
            job.text);
    jpeg_destroy_decompress(&job.info);
    tl_free(ctx, job.cmyk);
    if (job.rc != TL_OK) tl_image_free(ctx, &job.image);
    *out = job.image;
    return job.rc;
}
