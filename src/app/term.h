/* term.h -- what people see: colours where wanted, width, tables, and progress as Keras users
 * know it.  Results go to stdout, everything else to stderr.  Floor 5, app. */
#ifndef TL_APP_TERM_H
#define TL_APP_TERM_H
#include "core/text.h"
#include "tailor.h"

typedef enum { TL_PLAIN, TL_BOLD, TL_DIM, TL_GREEN, TL_YELLOW, TL_RED, TL_CYAN } tl_paint;

typedef struct {
    tl_ctx *ctx;
    bool   colour_out, colour_err; /* NO_COLOR, CLICOLOR_FORCE, TERM=dumb are honoured      */
    bool   live;                   /* stderr is a terminal: lines are redrawn              */
    bool   utf8;                   /* the locale's character set                           */
    bool   quiet, json;
    bool   keep_epochs;            /* a line for every epoch stays (train); else one moving */
    int    width;                  /* columns                                               */
    /* progress */
    bool   drawn;                  /* a live line stands unfinished                        */
    double last_s;                 /* when the last line or redraw was                     */
    char   held[256];              /* of the line not shown yet: a pipe's epoch lines      */
} tl_term;

void tl_term_init(tl_term *term, tl_ctx *ctx); /* ctx is borrowed */
/* "\033[1m" and the like, or "" where there is no colour; TL_PLAIN ends one. */
const char *tl_term_out(const tl_term *term, tl_paint paint);
const char *tl_term_err(const tl_term *term, tl_paint paint);

/* A line for people on stderr, above the moving progress line; nothing when quiet. */
void tl_term_say(tl_term *term, const char *line);
void tl_term_progress(tl_term *term, const tailor_progress *p);
void tl_term_clear(tl_term *term);    /* takes the moving line away                        */
void tl_term_finish(tl_term *term);   /* shows what a pipe has not seen yet                */

/* Columns needed for a UTF-8 text (one a code point). */
size_t tl_term_columns(const char *text);
/* "1,234.5 s" style numbers in tables: cells are added row by row, then written with columns
 * aligned: left for the first, right where `right` has the column's bit. */
typedef struct {
    tl_ctx  *ctx;
    char   **cell;
    tl_paint *paint;               /* of each row                                          */
    size_t   cells, columns, rows;
    uint32_t right;
    tl_status status;              /* sticky                                               */
} tl_grid;
tl_grid  tl_grid_make(tl_ctx *ctx, size_t columns, uint32_t right);
void      tl_grid_row(tl_grid *table, tl_paint paint, const char *const *cells);
tl_status tl_grid_print(tl_grid *table, const tl_term *term, const char *indent);
void      tl_grid_free(tl_grid *table);
/* Prints text wrapped at the terminal's width (at most 90), with `indent` before each line, the
 * first too unless it is `begun` (so many columns are there already). */
void tl_term_wrap(const tl_term *term, const char *indent, bool begun, const char *text);
#endif
