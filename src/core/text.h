/* text.h -- a growing text, edit distance for "did you mean", numbers and units for people.
 * Floor 0. */
#ifndef TL_CORE_TEXT_H
#define TL_CORE_TEXT_H
#include "core/core.h"

typedef struct {
    tl_ctx   *ctx;
    char     *text;  /* zero-terminated once anything was added; owned                   */
    size_t    bytes, room;
    tl_status status; /* sticky: check once at the end                                   */
} tl_text;

tl_text tl_text_make(tl_ctx *ctx);
void    tl_text_add(tl_text *t, const char *s);
void    tl_text_add_bytes(tl_text *t, const void *data, size_t bytes);
void    tl_text_printf(tl_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A word for a shell: quoted where it holds more than plain characters. */
void    tl_text_add_word(tl_text *t, const char *word);
void    tl_text_free(tl_text *t);

/* The candidate nearest to `word` if near enough to be meant, else NULL. */
typedef const char *(*tl_name_at)(size_t i); /* NULL past the end */
const char *tl_did_you_mean(const char *word, tl_name_at at);

/* Makes one line of valid UTF-8 of `text`, in place: a blank for line ends and tabs, '?' for each
 * other control byte and each byte that is no UTF-8. */
void tl_one_line(char *text);

/* "90s", "30m", "1h30m", "2d" -> seconds; "512M", "8G", "1.5GiB" -> bytes; false when
 * it is not one. */
bool tl_parse_seconds(const char *text, double *seconds);
bool tl_parse_bytes(const char *text, size_t *bytes);
bool tl_parse_int(const char *text, int64_t *value);
bool tl_parse_double(const char *text, double *value);

/* "1m 05s", "12.3 MiB", "1,234,567": written into buffer, which is returned. */
char *tl_say_seconds(double seconds, char buffer[32]);
char *tl_say_bytes(double bytes, char buffer[32]);
char *tl_say_count(int64_t n, char buffer[32]);
/* So many significant digits, no power of ten where people write none: "31,110", "0.0123". */
char *tl_say_number(double value, int digits, char buffer[32]);
/* A share in points: 0.01 is "1 point", 0.025 "2.5 points". */
char *tl_say_points(double share, char buffer[32]);
/* `one` for 1, else `many`: "1 row", "2 rows". */
const char *tl_plural(int64_t n, const char *one, const char *many);
#endif
