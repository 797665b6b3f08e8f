/* strokes.c -- drawing letters and digits.  A glyph is a few lines and quadratic curves in a
 * 100 x 100 box (y down); a picture bends it by a random affine map, moves its points a
 * little, draws it with a round soft pen and adds noise.  Floor 2, data. */
#include "data/strokes.h"
#include "core/io.h"
#include "core/rand.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "M x y" starts a stroke, "L x y" is a line, "Q cx cy x y" a quadratic curve. */
static const char *const digits[] = {
    "M50 10 Q85 10 85 50 Q85 90 50 90 Q15 90 15 50 Q15 10 50 10",
    "M30 28 L52 10 L52 90",
    "M20 30 Q22 10 50 10 Q80 10 80 35 Q80 52 18 90 L84 90",
    "M20 16 Q50 2 72 16 Q86 40 46 47 Q88 52 80 76 Q60 98 18 84",
    "M64 90 L64 10 L14 66 L86 66",
    "M78 10 L28 10 L24 44 Q52 34 74 50 Q90 78 60 88 Q38 94 18 82",
    "M70 10 Q22 30 20 66 Q26 92 54 90 Q84 86 80 62 Q66 40 22 60",
    "M16 10 L84 10 L40 90",
    "M50 48 Q18 40 26 22 Q50 0 74 22 Q82 40 50 48 Q12 58 22 78 Q50 102 78 78 Q88 58 50 48",
    "M78 38 Q70 58 44 54 Q18 46 24 26 Q40 4 66 14 Q86 24 76 56 Q68 80 50 90",
};
static const char *const letters[] = {
    "M10 90 L50 10 L90 90 M26 60 L74 60",
    "M20 10 L20 90 M20 10 Q76 8 72 30 Q70 48 20 48 Q84 48 82 70 Q78 92 20 90",
    "M84 24 Q66 6 44 10 Q14 18 14 50 Q14 84 46 90 Q68 92 86 76",
    "M20 10 L20 90 Q86 92 84 50 Q84 8 20 10",
    "M80 10 L20 10 L20 90 L82 90 M20 48 L68 48",
    "M80 10 L22 10 L22 90 M22 48 L68 48",
    "M84 24 Q66 6 44 10 Q14 18 14 50 Q14 84 46 90 Q84 90 84 56 L54 56",
    "M18 10 L18 90 M82 10 L82 90 M18 50 L82 50",
    "M50 10 L50 90 M30 10 L70 10 M30 90 L70 90",
    "M68 10 L68 66 Q66 92 42 90 Q20 88 20 66",
    "M20 10 L20 90 M80 10 L20 56 M40 42 L84 90",
    "M22 10 L22 90 L82 90",
    "M12 90 L18 10 L50 64 L82 10 L88 90",
    "M18 90 L18 10 L82 90 L82 10",
    "M50 10 Q90 14 88 50 Q86 88 50 90 Q14 88 12 50 Q12 14 50 10 M50 40 L50 60",
    "M20 90 L20 10 Q82 6 80 34 Q76 58 20 54",
    "M50 10 Q88 14 86 50 Q84 88 50 90 Q14 86 14 50 Q14 14 50 10 M58 64 L90 96",
    "M20 90 L20 10 Q82 6 78 32 Q74 52 20 50 M48 50 L84 90",
    "M80 22 Q60 4 34 14 Q8 32 40 46 Q92 56 80 80 Q52 100 16 78",
    "M10 10 L90 10 M50 10 L50 90",
    "M16 10 L16 60 Q18 92 50 90 Q82 90 84 60 L84 10",
    "M10 10 L50 90 L90 10",
    "M6 10 L28 90 L50 34 L72 90 L94 10",
    "M14 10 L86 90 M86 10 L14 90",
    "M12 10 L50 50 L88 10 M50 50 L50 90",
    "M14 10 L86 10 L14 90 L86 90",
};

enum { SIZE = TL_STROKES_SIZE, MOST_SEGMENTS = 168, CURVE_STEPS = 8 };

typedef struct { double x0, y0, x1, y1; } segment;

/* Draws of one picture, numbered in the order they are asked for. */
typedef struct { uint64_t seed, stream, next; } dice;

static double roll(dice *d, double low, double high)
{
    return low + (high - low) * tl_rand_uniform(d->seed, d->stream, d->next++);
}

/* The picture's affine map, from the glyph's box to pixels. */
typedef struct { double xx, xy, yx, yy, x, y, wobble; } bend;

static bend draw_bend(dice *d)
{
    const double turn = roll(d, -0.22, 0.22), slant = roll(d, -0.35, 0.35);
    const double wide = roll(d, 0.15, 0.23), tall = roll(d, 0.18, 0.25);
    const double c = cos(turn), s = sin(turn);
    bend         b;

    b.xx     = wide * c;
    b.xy     = -tall * s - wide * slant * c;
    b.yx     = wide * s;
    b.yy     = tall * c - wide * slant * s;
    b.x      = 0.5 * SIZE + roll(d, -2.2, 2.2);
    b.y      = 0.5 * SIZE + roll(d, -2.2, 2.2);
    b.wobble = roll(d, 0.0, 5.0);
    return b;
}

static void place(const bend *b, dice *d, double gx, double gy, double *x, double *y)
{
    const double u = gx - 50.0 + roll(d, -b->wobble, b->wobble);
    const double v = gy - 50.0 + roll(d, -b->wobble, b->wobble);

    *x = b->x + b->xx * u + b->xy * v;
    *y = b->y + b->yx * u + b->yy * v;
}

/* Turns the glyph's text into straight pieces in pixels; returns their number. */
static int trace(const char *glyph, const bend *b, dice *d, segment *piece)
{
    double x = 0.0, y = 0.0;
    int    n = 0;

    while (*glyph) {
        double px[2], cx = 0.0, cy = 0.0, ex, ey, fromx = x, fromy = y;
        int    used = 0;
        const char kind = *glyph++;

        if (kind == ' ') continue;
        if (kind == 'Q') {
            sscanf(glyph, "%lf %lf%n", &px[0], &px[1], &used);
            glyph += used;
            place(b, d, px[0], px[1], &cx, &cy);
        }
        sscanf(glyph, "%lf %lf%n", &px[0], &px[1], &used);
        glyph += used;
        place(b, d, px[0], px[1], &ex, &ey);
        for (int i = 1; kind == 'Q' && i < CURVE_STEPS; i++) {
            const double t = (double)i / CURVE_STEPS, u = 1.0 - t;
            const double nx = u * u * x + 2.0 * t * u * cx + t * t * ex;
            const double ny = u * u * y + 2.0 * t * u * cy + t * t * ey;
            piece[n++]      = (segment){ fromx, fromy, nx, ny };
            fromx = nx, fromy = ny;
        }
        if (kind != 'M') piece[n++] = (segment){ fromx, fromy, ex, ey };
        x = ex, y = ey;
    }
    return n;
}

static double distance_to(const segment *s, double x, double y)
{
    const double dx = s->x1 - s->x0, dy = s->y1 - s->y0, len = dx * dx + dy * dy;
    double       t  = len > 0.0 ? ((x - s->x0) * dx + (y - s->y0) * dy) / len : 0.0;

    t = fmin(1.0, fmax(0.0, t));
    return hypot(x - s->x0 - t * dx, y - s->y0 - t * dy);
}

/* Digits stand on scribbled paper: stray pen marks that mean nothing.  What was learned on clean
 * letters helps, but not all the way; that is what the demo shows. */
static int scribble(dice *d, segment *piece)
{
    const int n = (int)roll(d, 2.0, 6.0);

    for (int i = 0; i < n; i++) {
        const double x = roll(d, 0.0, SIZE), y = roll(d, 0.0, SIZE);
        const double turn = roll(d, 0.0, 6.2832), length = roll(d, 5.0, 15.0);
        piece[i] = (segment){ x, y, x + length * cos(turn), y + length * sin(turn) };
    }
    return n;
}

int tl_strokes_classes(tl_glyphs glyphs)
{
    return glyphs == TL_DIGITS ? (int)TL_COUNT(digits) : (int)TL_COUNT(letters);
}

void tl_strokes_draw(tl_glyphs glyphs, int label, uint64_t seed, int64_t index,
                     uint8_t picture[SIZE * SIZE])
{
    dice         d = { seed, TL_STREAM(TL_STREAM_DATA, (uint64_t)index), 0 };
    segment      piece[MOST_SEGMENTS];
    const bend   b     = draw_bend(&d);
    const double pen   = roll(&d, 0.7, 1.7), ink = roll(&d, 150.0, 255.0);
    const double noise = roll(&d, 5.0, 40.0), paper = roll(&d, 0.0, 40.0);
    const int    glyph = trace((glyphs == TL_DIGITS ? digits : letters)[label], &b, &d, piece);
    const int    n     = glyph + (glyphs == TL_DIGITS ? scribble(&d, piece + glyph) : 0);

    for (int at = 0; at < SIZE * SIZE; at++) {
        const double x = at % SIZE + 0.5, y = at / SIZE + 0.5;
        double       near = 1e9;
        for (int i = 0; i < n; i++) near = fmin(near, distance_to(&piece[i], x, y));
        const double cover = fmin(1.0, fmax(0.0, pen + 0.5 - near));
        const double value = paper + cover * (ink - paper) +
                             noise * tl_rand_normal(seed, d.stream ^ 1u << 20, (uint64_t)at + 512);
        picture[at] = (uint8_t)fmin(255.0, fmax(0.0, value));
    }
}

static tl_status write_idx_head(tl_ctx *ctx, tl_output *out, int dims, int64_t rows)
{
    const uint32_t number[4] = { 0x0800u | (uint32_t)dims, (uint32_t)rows, SIZE, SIZE };
    uint8_t        head[16];

    for (int i = 0; i < 16; i++) head[i] = (uint8_t)(number[i / 4] >> 8 * (3 - i % 4));
    return tl_write(ctx, out, head, dims == 3 ? 16 : 8);
}

/* One part: images and labels.  Labels go round robin and are then shuffled. */
static tl_status write_part(tl_ctx *ctx, tl_glyphs glyphs, uint64_t seed, const char *name,
                            int64_t first, int64_t rows, const char *folder)
{
    static const char *const kind[] = { "images-idx3-ubyte", "labels-idx1-ubyte" };
    tl_output *out   = NULL;
    char      *path  = NULL;
    int64_t   *label = NULL;
    tl_status  rc;

    TL_TRY(tl_alloc_array(ctx, (size_t)rows, sizeof *label, &label));
    for (int64_t i = 0; i < rows; i++) label[i] = i % tl_strokes_classes(glyphs);
    tl_rand_shuffle(seed, TL_STREAM(TL_STREAM_ORDER, first), label, rows);
    for (int part = 0; part < 2; part++) {
        char file[64];
        snprintf(file, sizeof file, "%s-%s", name, kind[part]);
        TL_TRY(tl_path_join(ctx, folder, file, &path));
        TL_TRY(tl_output_open(ctx, path, &out));
        TL_TRY(write_idx_head(ctx, out, part == 0 ? 3 : 1, rows));
        for (int64_t i = 0; i < rows; i++) {
            uint8_t picture[SIZE * SIZE] = { (uint8_t)label[i] };
            if (part == 0) tl_strokes_draw(glyphs, (int)label[i], seed, first + i, picture);
            TL_TRY(tl_write(ctx, out, picture, part == 0 ? sizeof picture : 1));
        }
        TL_TRY(tl_output_commit(ctx, out));
        tl_output_close(ctx, out);
        tl_free(ctx, path);
        out  = NULL;
        path = NULL;
    }
done:
    tl_output_close(ctx, out);
    tl_free(ctx, path);
    tl_free(ctx, label);
    return rc;
}

tl_status tl_strokes_write(tl_ctx *ctx, tl_glyphs glyphs, uint64_t seed, int64_t train,
                           int64_t test, const char *folder)
{
    char      names[64];
    char     *path = NULL;
    size_t    at   = 0;
    tl_status rc;

    TL_TRY(tl_make_folders(ctx, folder));
    TL_TRY(write_part(ctx, glyphs, seed, "train", 0, train, folder));
    TL_TRY(write_part(ctx, glyphs, seed, "t10k", INT64_C(1) << 32, test, folder));
    for (int i = 0; i < tl_strokes_classes(glyphs); i++) {
        names[at++] = (char)((glyphs == TL_DIGITS ? '0' : 'A') + i);
        names[at++] = '\n';
    }
    TL_TRY(tl_path_join(ctx, folder, "classes.txt", &path));
    TL_TRY(tl_file_write(ctx, path, names, at));
done:
    tl_free(ctx, path);
    return rc;
}
