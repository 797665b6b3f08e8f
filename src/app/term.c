/* term.c -- colours, tables, progress lines.  Floor 5, app.  NO_COLOR: no-color.org;
 * CLICOLOR_FORCE: bixense.com/clicolors. */
#include "app/term.h"
#include "core/machine.h"

#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const char *const codes[] = {
    [TL_PLAIN] = "\033[0m",  [TL_BOLD] = "\033[1m", [TL_DIM] = "\033[2m",   [TL_GREEN] =
        "\033[32m",
    [TL_YELLOW] = "\033[33m", [TL_RED] = "\033[31m", [TL_CYAN] = "\033[36m",
};
/* Seconds between redraws on a terminal, and between lines in a pipe. */
static const double redraw_s = 0.1, line_s = 5.0;

static bool wants_colour(int fd)
{
    const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"), *term =
        getenv("TERM");

    if (no && *no) return false;
    if (force && *force && strcmp(force, "0") != 0) return true;
    return isatty(fd) && !(term && strcmp(term, "dumb") == 0);
}

void tl_term_init(tl_term *term, tl_ctx *ctx)
{
    struct winsize size;
    const char    *name = getenv("TERM");

    setlocale(LC_CTYPE, "");
    *term            = (tl_term){ .ctx = ctx, .width = 80, .last_s = -1e9 };
    term->colour_out = wants_colour(STDOUT_FILENO);
    term->colour_err = wants_colour(STDERR_FILENO);
    term->live       = isatty(STDERR_FILENO) && !(name && strcmp(name, "dumb") == 0);
    term->utf8       = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if ((ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ||
         ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) && size.ws_col >= 20)
        term->width = size.ws_col;
}

const char *tl_term_out(const tl_term *term, tl_paint paint)
{
    return term->colour_out ? codes[paint] : "";
}

const char *tl_term_err(const tl_term *term, tl_paint paint)
{
    return term->colour_err ? codes[paint] : "";
}

size_t tl_term_columns(const char *text)
{
    size_t n = 0;

    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void tl_term_clear(tl_term *term)
{
    if (term->drawn) fputs("\r\033[K", stderr);
    term->drawn = false;
}

void tl_term_say(tl_term *term, const char *line)
{
    if (term->quiet) return;
    tl_term_clear(term);
    fprintf(stderr, "%s\n", line);
}

static void add_bar(const tl_term *term, tl_text *t, double share)
{
    enum { CELLS = 20 };
    const int full = (int)lround(CELLS * fmin(1.0, fmax(0.0, share)));

    tl_text_add(t, tl_term_err(term, TL_GREEN));
    for (int i = 0; i < full; i++) tl_text_add(t, term->utf8 ? "\u2501" : "=");
    tl_text_add(t, tl_term_err(term, TL_PLAIN));
    tl_text_add(t, tl_term_err(term, TL_DIM));
    for (int i = full; i < CELLS; i++) tl_text_add(t, term->utf8 ? "\u2500" : "-");
    tl_text_add(t, tl_term_err(term, TL_PLAIN));
}

static void add_number(tl_text *t, const char *part, const char *name, double value)
{
    if (isfinite(value)) tl_text_printf(t, " - %s%s: %.4f", part, name, value);
}

/* "full  Epoch 3/10  120/844 ━━━━────── 4s ETA 21s - loss: 0.41 - accuracy: 0.86 ..." */
static void add_line(const tl_term *term, tl_text *t, const tailor_progress *p, bool bar)
{
    char seconds[32], eta[32];

    if (p->route && *p->route) tl_text_printf(t, "%-8s ", p->route);
    if (p->epochs > 0) tl_text_printf(t, "Epoch %" PRId64 "/%" PRId64 " ", p->epoch, p->epochs);
    else if (p->phase) tl_text_printf(t, "%s ", p->phase);
    if (p->steps > 0) tl_text_printf(t, "%" PRId64 "/%" PRId64 " ", p->step, p->steps);
    if (bar && p->steps > 0) add_bar(term, t, (double)p->step / (double)p->steps);
    tl_text_printf(t, " %s", tl_say_seconds(fmax(0.0, p->seconds), seconds));
    if (isfinite(p->eta_seconds) && p->eta_seconds >= 0.5)
        tl_text_printf(t, " ETA %s", tl_say_seconds(p->eta_seconds, eta));
    add_number(t, "", "loss", p->loss);
    add_number(t, "", p->metric_name, p->metric);
    add_number(t, "val_", "loss", p->valid_loss);
    add_number(t, "val_", p->metric_name, p->valid_metric);
}

/* Cuts to the terminal's width, so that \r can redraw; colour codes take no columns. */
static void cut_to_width(char *s, int width)
{
    int columns = 0;

    for (; *s; s++) {
        if (*s == '\033') {
            while (*s && *s != 'm') s++;
            if (!*s) return;
            continue;
        }
        if (((unsigned char)*s & 0xc0) != 0x80 && ++columns >= width) {
            *s = 0;
            return;
        }
    }
}

static void draw(tl_term *term, tl_text *t, bool stays)
{
    tl_term_clear(term);
    if (!stays) cut_to_width(t->text, term->width);
    fprintf(stderr, "%s%s%s", t->text, tl_term_err(term, TL_PLAIN), stays ? "\n" : "");
    fflush(stderr);
    term->drawn = !stays;
}

void tl_term_progress(tl_term *term, const tailor_progress *p)
{
    tl_text      t     = tl_text_make(term->ctx);
    const double now   = tl_time_s();
    const bool   ended = p->epoch_end && term->keep_epochs && term->live;
    const bool   early = now - term->last_s < (term->live ? redraw_s : line_s);

    if (term->quiet || (early && !p->epoch_end)) return;
    add_line(term, &t, p, term->live);
    if (t.status == TL_OK && term->live) draw(term, &t, ended);
    else if (t.status == TL_OK && now - term->last_s < line_s)
        snprintf(term->held, sizeof term->held, "%s",
                 t.text); /* the last of a quick run is shown */
    else if (t.status == TL_OK) {
        term->held[0] = 0;
        fprintf(stderr, "%s\n", t.text);
        term->last_s = now;
    }
    if (term->live) term->last_s = now;
    tl_text_free(&t);
}

void tl_term_finish(tl_term *term)
{
    tl_term_clear(term);
    if (term->held[0] && !term->quiet) fprintf(stderr, "%s\n", term->held);
    term->held[0] = 0;
}

tl_grid tl_grid_make(tl_ctx *ctx, size_t columns, uint32_t right)
{
    return (tl_grid){ .ctx = ctx, .columns = columns, .right = right };
}

void tl_grid_row(tl_grid *table, tl_paint paint, const char *const *cells)
{
    tl_ctx   *ctx = table->ctx;
    tl_status rc  = table->status;

    if (rc != TL_OK) return;
    TL_TRY(tl_realloc(ctx, (table->rows + 1) * sizeof *table->paint, &table->paint));
    TL_TRY(tl_realloc(ctx, (table->cells + table->columns) * sizeof *table->cell,
                      &table->cell));
    table->paint[table->rows++] = paint;
    for (size_t c = 0; c < table->columns; c++, table->cells++)
        TL_TRY(tl_strdup(ctx, cells[c] ? cells[c] : "", &table->cell[table->cells]));
done:
    table->status = rc;
}

tl_status tl_grid_print(tl_grid *table, const tl_term *term, const char *indent)
{
    size_t width[32] = { 0 };

    if (table->status != TL_OK) return table->status;
    for (size_t i = 0; i < table->cells; i++) {
        size_t *w = &width[i % table->columns];
        *w        = TL_MAX(*w, tl_term_columns(table->cell[i]));
    }
    for (size_t r = 0; r < table->rows; r++) {
        const bool paint = table->paint[r] != TL_PLAIN;
        printf("%s%s", indent, paint ? tl_term_out(term, table->paint[r]) : "");
        size_t columns = table->columns; /* empty cells at the end leave no spaces behind */
        while (columns > 1 && !*table->cell[r * table->columns + columns - 1]) columns--;
        for (size_t c = 0; c < columns; c++) {
            const char *cell = table->cell[r * table->columns + c];
            const int   gap  = (int)(width[c] - tl_term_columns(cell));
            const bool  last = c + 1 == columns, right = table->right >> c & 1u;
            printf("%*s%s%*s", right ? gap : 0, "", cell, right || last ? 0 : gap, "");
            if (!last) fputs("  ", stdout);
        }
        printf("%s\n", paint ? tl_term_out(term, TL_PLAIN) : "");
    }
    return TL_OK;
}

void tl_grid_free(tl_grid *table)
{
    for (size_t i = 0; i < table->cells; i++) tl_free(table->ctx, table->cell[i]);
    tl_free(table->ctx, table->cell);
    tl_free(table->ctx, table->paint);
    *table = (tl_grid){ 0 };
}

void tl_term_wrap(const tl_term *term, const char *indent, bool begun, const char *text)
{
    const size_t width = (size_t)TL_MIN(term->width, 90);
    size_t       at    = begun ? strlen(indent) : 0;
    bool         first = begun;

    while (*text) {
        const size_t bytes = strcspn(text, " \n");
        size_t       columns = 0;
        for (size_t i = 0; i < bytes; i++) columns += ((unsigned char)text[i] & 0xc0) != 0x80;
        if (at && !first && at + 1 + columns > width) putchar('\n'), at = 0;
        if (!at) printf("%s", indent), at = strlen(indent);
        else if (!first) putchar(' '), at++;
        printf("%.*s", (int)bytes, text);
        at += columns;
        first = false;
        text += bytes;
        while (*text == ' ') text++;
        if (*text == '\n') putchar('\n'), at = 0, text++;
    }
    putchar('\n');
}
