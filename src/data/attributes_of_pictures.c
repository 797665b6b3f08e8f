/* attributes_of_pictures.c -- plain facts of a picture and of its file.  Floor 2, data. */
#include "data/attributes.h"
#include "data/hold.h"
#include "data/workers.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const tl_image *image; /* [height width 3]; NULL: damaged, or not asked for */
    int64_t         height, width;
    const char     *path;  /* NULL: held as bytes */
    const char     *inside; /* the same from where the data begin; NULL: its folder is its class */
} sight;

/* One fact: a number of it, or a word. */
typedef struct {
    const char  *name, *todo;
    tl_fact_role role;
    double (*number)(const sight *s);
    size_t (*word)(const sight *s, const char **text);
} picture_fact;

static double height_of(const sight *s)
{
    return (double)s->height;
}

static double width_of(const sight *s)
{
    return (double)s->width;
}

static double shape_of(const sight *s)
{
    return (double)s->width / (double)s->height;
}

/* Mean of a channel, or of all (-1), on the border: a sixteenth of the shorter side. */
static double border_of(const sight *s, int channel)
{
    const int64_t h = s->height, w = s->width, edge = TL_MAX(TL_MIN(h, w) / 16, 1);
    double        sum = 0.0, count = 0.0;

    if (!s->image) return (double)NAN;
    for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < w; x++) {
            const bool inside = y >= edge && y < h - edge && x >= edge && x < w - edge;
            if (inside) x = w - edge; /* on to the right border */
            const uint8_t *p = s->image->data + 3 * (y * w + x);
            if (channel >= 0) sum += p[channel];
            else sum += (p[0] + p[1] + p[2]) / 3.0;
            count++;
        }
    return sum / count;
}

static double border_light(const sight *s)
{
    return border_of(s, -1);
}

static double border_red(const sight *s)
{
    return border_of(s, 0) - border_of(s, -1);
}

static double border_blue(const sight *s)
{
    return border_of(s, 2) - border_of(s, -1);
}

static void light_of(const sight *s, double *mean, double *sd)
{
    const int64_t n   = s->height * s->width;
    double        sum = 0.0, square = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const uint8_t *p = s->image->data + 3 * i;
        const double   v = (p[0] + p[1] + p[2]) / 3.0;
        sum += v;
        square += v * v;
    }
    *mean = sum / (double)n;
    *sd   = sqrt(fmax(square / (double)n - *mean * *mean, 0.0));
}

static double brightness(const sight *s)
{
    double mean = (double)NAN, sd;

    if (s->image) light_of(s, &mean, &sd);
    return mean;
}

static double contrast(const sight *s)
{
    double mean, sd = (double)NAN;

    if (s->image) light_of(s, &mean, &sd);
    return sd;
}

static const char *file_of(const sight *s)
{
    const char *slash = strrchr(s->path, '/');

    return slash ? slash + 1 : s->path;
}

static size_t format_word(const sight *s, const char **text)
{
    *text = strrchr(file_of(s), '.');
    return *text ? strlen(*text) : 0;
}

static size_t folder_word(const sight *s, const char **text)
{
    const char *last = s->inside ? strrchr(s->inside, '/') : NULL;

    *text = s->inside;
    return last ? (size_t)(last - s->inside) : 0;
}

/* Letters before the first number. */
static size_t prefix_word(const sight *s, const char **text)
{
    size_t n = 0;

    *text = file_of(s);
    while ((*text)[n] && !isdigit((unsigned char)(*text)[n]) && (*text)[n] != '.') n++;
    return n;
}

static double number_in_name(const sight *s)
{
    const char *at = file_of(s);

    while (*at && !isdigit((unsigned char)*at)) at++;
    return *at ? strtod(at, NULL) : (double)NAN;
}

static const char size_todo[] =
    "give the classes pictures of like sizes, or crop them alike: else the size, or what resizing "
    "does to it, is learnt instead of what is shown";
static const char border_todo[] =
    "look at a few pictures of each class: where the background or frame comes with the class by "
    "the way they were taken, add pictures of each class with other backgrounds";
static const char file_todo[] =
    "the model does not see file names, but what comes with them: where they stand for a source (a "
    "camera, a place, a day), have every source in every class, and test on a source of its own "
    "(--test, --shifted)";

static const char number_todo[] =
    "nothing must be done where the files were numbered class by class; where numbers stand for a "
    "time or a place, have pictures of each in every class, and test on later ones (--test)";

static const picture_fact list[] = {
    { "the picture's width", size_todo, TL_FACT_ASIDE, width_of, NULL },
    { "the picture's height", size_todo, TL_FACT_ASIDE, height_of, NULL },
    { "the picture's shape (width by height)", size_todo, TL_FACT_ASIDE, shape_of, NULL },
    { "the border's brightness", border_todo, TL_FACT_ASIDE, border_light, NULL },
    { "the border's red", border_todo, TL_FACT_ASIDE, border_red, NULL },
    { "the border's blue", border_todo, TL_FACT_ASIDE, border_blue, NULL },
    { "the brightness", NULL, TL_FACT_DRIFTS, brightness, NULL },
    { "the contrast", NULL, TL_FACT_DRIFTS, contrast, NULL },
    { "the kind of file", "save all classes in one format and quality: what a format leaves in the "
      "pixels can be learnt instead of what is shown", TL_FACT_ASIDE, NULL, format_word },
    { "the folder", file_todo, TL_FACT_UNSEEN, NULL, folder_word },
    { "the beginning of the file's name", file_todo, TL_FACT_UNSEEN, NULL, prefix_word },
    { "the number in the file's name", number_todo, TL_FACT_UNSEEN, number_in_name, NULL },
};

typedef struct {
    const tl_dataset *d;
    tl_facts         *f;
    uint64_t         *word[TL_COUNT(list)]; /* [rows] */
} looking;

static tl_status look(tl_ctx *ctx, void *arg, int64_t i)
{
    looking      *l     = arg;
    const int64_t row   = l->f->rows.row[i];
    const char   *path  = l->d->row_name[row], *text;
    tl_image      image = { 0 };
    int64_t       local;
    tl_status     rc = l->d->read(ctx, l->d, row, 3, &image);

    if (rc == TL_EDATA) return TL_OK; /* found and told elsewhere */
    if (rc != TL_OK) return rc;
    const tl_part *part = tl_hold_part(l->d, row, &local);
    const bool     says = path && strcmp(part->format, "image folders") != 0;
    const sight    s    = { &image, image.height, image.width, path,
                            says ? path + TL_MIN(part->root_bytes, strlen(path)) : NULL };
    for (size_t k = 0; k < TL_COUNT(list); k++) {
        if (list[k].role == TL_FACT_UNSEEN && !path) continue;
        if (list[k].number) l->f->fact[k].value[i] = list[k].number(&s);
        else if (path) {
            const size_t n = list[k].word(&s, &text);
            l->word[k][i]  = n ? tl_facts_hash(text, n) : 0;
        }
    }
    tl_image_free(ctx, &image);
    return TL_OK;
}

tl_status tl_facts_of_pictures(tl_ctx *ctx, const tl_dataset *d, tl_facts *f)
{
    looking   l = { .d = d, .f = f };
    tl_fact  *fact;
    tl_status rc = TL_OK;

    for (size_t k = 0; k < TL_COUNT(list); k++) {
        TL_TRY(tl_facts_add(ctx, f, list[k].name, list[k].role, list[k].todo, &fact));
        if (list[k].word)
            TL_TRY(tl_alloc_array(ctx, (size_t)f->rows.count, sizeof *l.word[k], &l.word[k]));
    }
    TL_TRY(tl_each(ctx, f->rows.count, look, &l));
    for (size_t k = 0; k < TL_COUNT(list); k++)
        if (list[k].word)
            TL_TRY(tl_facts_levels(ctx, l.word[k], f->rows.count, &f->fact[k]));
done:
    for (size_t k = 0; k < TL_COUNT(list); k++) tl_free(ctx, l.word[k]);
    return rc;
}
