/* spans.c -- see spans.h.  Floor 3, train. */
#include "train/spans.h"

#include <string.h>

static tl_tag tag_of(const char *name)
{
    return name ? tl_tag_of(name) : (tl_tag){ 'O', "" };
}

static bool same_type(tl_tag a, tl_tag b)
{
    return strcmp(a.type, b.type) == 0;
}

/* A tag without a prefix of its own is the inside of what it says. */
static char prefix_of(tl_tag t)
{
    return t.prefix ? t.prefix : 'I';
}

bool tl_span_ends(const char *before, const char *now)
{
    const tl_tag a = tag_of(before), b = tag_of(now);
    const char   p = prefix_of(a), q = prefix_of(b);

    if (p == 'O') return false;
    if (p == 'E' || p == 'S' || p == 'L' || p == 'U') return true;
    return q == 'B' || q == 'S' || q == 'U' || q == 'O' || !same_type(a, b);
}

bool tl_span_begins(const char *before, const char *now)
{
    const tl_tag a = tag_of(before), b = tag_of(now);
    const char   p = prefix_of(a), q = prefix_of(b);

    if (q == 'O') return false;
    if (q == 'B' || q == 'S' || q == 'U') return true;
    return p == 'E' || p == 'S' || p == 'L' || p == 'U' || p == 'O' || !same_type(a, b);
}

tl_span_count tl_spans_next(tl_spans *s, const tl_dataset *d, int64_t row, const char *said)
{
    const int64_t text = row < 0 ? -1 : d->tags->text[row];
    tl_span_count n    = { 0 };

    if (s->d != d) *s = (tl_spans){ .d = d, .text = -1 };
    if (text < 0 || text != s->text) {
        n.right  = s->both;
        s->both  = false;
        s->said  = s->there = NULL;
        s->text  = text;
    }
    if (text < 0) return n;
    const char *there = d->class_name[d->label[row]];
    if (s->both) {
        const bool a = tl_span_ends(s->said, said), b = tl_span_ends(s->there, there);
        n.right += a && b;
        if (a || b) s->both = false;
    }
    n.said  = tl_span_begins(s->said, said);
    n.there = tl_span_begins(s->there, there);
    if (n.said && n.there) s->both = same_type(tag_of(said), tag_of(there));
    s->said  = said;
    s->there = there;
    return n;
}
