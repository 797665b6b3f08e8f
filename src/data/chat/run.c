/* run.c -- a template rendered: statements and expressions over frames of variables.  Floor 2,
 * data. */
#include "data/chat/inside.h"
#include "data/chat/template.h"
#include "data/tokenizer/unicode.h"

#include <math.h>
#include <string.h>

struct tl_template {
    tl_jheap  heap; /* of the nodes */
    char     *where;
    tl_jnode *root;
};

typedef struct frame frame;
struct frame {
    frame    *up;
    tl_jdict *names;
};

typedef struct {
    tl_jheap       *h;
    frame          *root, *at;
    bool            clock;
    tl_jbuild      *out, *main; /* main: not a macro's or a block's text */
    tl_text_span   *span;
    size_t          spans, room;
} running;

typedef enum { ON, BREAK, CONTINUE } flow;

static tl_jvalue value_of(running *r, const tl_jnode *n);
static flow      run_all(running *r, const tl_jnode *n);

/* ---- names ---- */
static void enter(running *r, frame *f, frame *up)
{
    *f    = (frame){ .up = up, .names = tl_jtake(r->h, sizeof *f->names) };
    r->at = f;
}

static tl_jvalue *find(const running *r, tl_string name)
{
    for (const frame *f = r->at; f; f = f->up) {
        tl_jvalue *v = tl_jdict_get(f->names, name);
        if (v) return v;
    }
    return NULL;
}

static tl_jvalue named(const running *r, tl_string name)
{
    const tl_jvalue *v      = find(r, name);
    const int        global = v ? -1 : tl_jglobal(name);

    if (v) return *v;
    if (global < 0 || (tl_jsame(name, "strftime_now") && !r->clock)) return tl_jundefined(name);
    return (tl_jvalue){ .kind = TL_JV_GLOBAL, .global = global };
}

/* ---- arithmetic ---- */
_Noreturn static void mismatch(running *r, tl_string op, tl_jvalue a, tl_jvalue b)
{
    const tl_jvalue none = a.kind == TL_JV_UNDEFINED ? a : b;

    if (none.kind == TL_JV_UNDEFINED)
        tl_jfail(r->h, "\"%.*s\" is undefined (give it, or mend the template)",
                 (int)TL_MIN(none.text.bytes, (size_t)80), none.text.text);
    tl_jfail(r->h, "%s %.*s %s has no meaning (mend the template)", tl_jkind_name(a),
             (int)op.bytes, op.text, tl_jkind_name(b));
}

static tl_jvalue joined(running *r, tl_jvalue a, tl_jvalue b)
{
    tl_jbuild t = { .heap = r->h };

    tl_jadd_value(&t, a);
    tl_jadd_value(&t, b);
    return tl_jtext(tl_jbuilt(&t));
}

static tl_jvalue joined_lists(running *r, tl_jvalue a, tl_jvalue b)
{
    tl_jvalue all = tl_jlist_new(r->h, a.list->count + b.list->count);

    if (a.list->count) memcpy(all.list->at, a.list->at, a.list->count * sizeof *a.list->at);
    if (b.list->count)
        memcpy(all.list->at + a.list->count, b.list->at, b.list->count * sizeof *b.list->at);
    return all;
}

static tl_jvalue repeated(running *r, tl_jvalue s, int64_t times)
{
    tl_jbuild t = { .heap = r->h };

    for (int64_t i = 0; i < times && s.text.bytes; i++) {
        tl_jadd_value(&t, s);
    }
    return tl_jtext(tl_jbuilt(&t));
}

static tl_jvalue divided(running *r, tl_string op, tl_jvalue a, tl_jvalue b)
{
    const bool   whole = a.kind != TL_JV_REAL && b.kind != TL_JV_REAL, rest = op.text[0] == '%';
    const double x = tl_jnumber(a), y = tl_jnumber(b);

    if (y == 0.0) tl_jfail(r->h, "division by 0 (mend the template)");
    if (!rest && op.bytes == 1) return tl_jreal(x / y);
    if (!whole) return tl_jreal(rest ? x - floor(x / y) * y : floor(x / y));
    const int64_t i = a.kind == TL_JV_BOOL ? a.truth : a.whole,
                  k = b.kind == TL_JV_BOOL ? b.truth : b.whole;
    if (k == -1) return rest ? tl_jint(0) : tl_jint(i == INT64_MIN ? INT64_MAX : -i);
    const int64_t left = i % k, off = left != 0 && (left < 0) != (k < 0);
    return tl_jint(rest ? left + off * k : i / k - off);
}

static tl_jvalue counted(running *r, tl_string op, tl_jvalue a, tl_jvalue b)
{
    const int64_t x = a.kind == TL_JV_BOOL ? a.truth : a.whole,
                  y = b.kind == TL_JV_BOOL ? b.truth : b.whole;
    int64_t       z;
    bool          over;

    if (a.kind == TL_JV_REAL || b.kind == TL_JV_REAL) {
        const double u = tl_jnumber(a), v = tl_jnumber(b);
        if (op.bytes == 2) return tl_jreal(pow(u, v));
        return tl_jreal(op.text[0] == '+' ? u + v : op.text[0] == '-' ? u - v : u * v);
    }
    if (op.bytes == 2) {
        const double p = pow((double)x, (double)y);
        if (!(fabs(p) < 9e15)) tl_jfail(r->h, "a number is too large (mend the template)");
        return y < 0 ? tl_jreal(p) : tl_jint((int64_t)p);
    }
    over = op.text[0] == '+'   ? __builtin_add_overflow(x, y, &z)
           : op.text[0] == '-' ? __builtin_sub_overflow(x, y, &z)
                               : __builtin_mul_overflow(x, y, &z);
    if (over) tl_jfail(r->h, "a number is too large (mend the template)");
    return tl_jint(z);
}

static tl_jvalue binary(running *r, tl_string op, tl_jvalue a, tl_jvalue b)
{
    const char c = op.text[0];

    if (c == '~') return joined(r, a, b);
    if (tl_jis_number(a) && tl_jis_number(b))
        return c == '/' || c == '%' ? divided(r, op, a, b) : counted(r, op, a, b);
    if (c == '+' && a.kind == TL_JV_TEXT && b.kind == TL_JV_TEXT) return joined(r, a, b);
    if (c == '+' && a.kind == TL_JV_LIST && b.kind == TL_JV_LIST) return joined_lists(r, a, b);
    if (c == '*' && op.bytes == 1 && a.kind == TL_JV_TEXT && b.kind == TL_JV_INT)
        return repeated(r, a, b.whole);
    if (c == '*' && op.bytes == 1 && a.kind == TL_JV_INT && b.kind == TL_JV_TEXT)
        return repeated(r, b, a.whole);
    mismatch(r, op, a, b);
}

static bool holds(running *r, tl_string op, tl_jvalue a, tl_jvalue b)
{
    if (tl_jsame(op, "==")) return tl_jequal(r->h, a, b);
    if (tl_jsame(op, "!=")) return !tl_jequal(r->h, a, b);
    if (tl_jsame(op, "in")) return tl_jcontains(r->h, b, a);
    if (tl_jsame(op, "not")) return !tl_jcontains(r->h, b, a);
    const int by = tl_jorder(r->h, a, b);
    if (op.text[0] == '<') return by < 0 || (op.bytes == 2 && by == 0);
    return by > 0 || (op.bytes == 2 && by == 0);
}

/* a < b < c: each with the one before. */
static tl_jvalue compared(running *r, const tl_jnode *n)
{
    tl_jvalue left = value_of(r, n->a);

    for (const tl_jnode *one = n->b; one; one = one->next) {
        const tl_jvalue right = value_of(r, one->a);
        if (!holds(r, one->name, left, right)) return tl_jbool(false);
        left = right;
    }
    return tl_jbool(true);
}

/* ---- calls ---- */
static void arguments(running *r, const tl_jnode *n, tl_string name, tl_jargs *a)
{
    *a = (tl_jargs){ .heap = r->h, .clock = r->clock, .name = name };
    for (; n; n = n->next) {
        if (a->count == TL_J_MOST_ARGS)
            tl_jfail(r->h, "over %d arguments (mend the template)", TL_J_MOST_ARGS);
        a->key[a->count]     = n->name;
        a->value[a->count++] = value_of(r, n->a);
    }
}

static tl_jvalue call_macro(running *r, const tl_jnode *macro, const tl_jargs *a)
{
    frame *const     was = r->at;
    tl_jbuild *const out = r->out;
    tl_jbuild        made = { .heap = r->h };
    frame            f;
    int              i = 0;

    enter(r, &f, r->root);
    r->out = &made;
    for (const tl_jnode *p = macro->a; p; p = p->next, i++) {
        tl_jvalue v = tl_jundefined(p->name);
        char      key[64];
        if (p->name.bytes >= sizeof key) tl_jfail(r->h, "a name is too long (mend it)");
        memcpy(key, p->name.text, p->name.bytes);
        key[p->name.bytes] = 0;
        if (!tl_jarg(a, i, key, &v) && p->a) v = value_of(r, p->a);
        tl_jdict_set(r->h, f.names, p->name, v);
    }
    run_all(r, macro->b);
    r->at  = was;
    r->out = out;
    return tl_jtext(tl_jbuilt(&made));
}

static tl_jvalue called(running *r, const tl_jnode *n)
{
    tl_jargs  a;
    tl_jvalue f, out;

    if (n->a->kind == TL_J_ATTR) {
        const tl_jvalue self = value_of(r, n->a->a);
        arguments(r, n->b, n->a->name, &a);
        r->h->line = n->line;
        if (tl_jmethod(&a, self, &out)) return out;
        f = tl_jattr(r->h, self, tl_jtext(n->a->name));
    } else {
        f = value_of(r, n->a);
        arguments(r, n->b, n->a->kind == TL_J_NAME ? n->a->name : (tl_string){ "a call", 6 }, &a);
        r->h->line = n->line;
    }
    if (f.kind == TL_JV_MACRO) return call_macro(r, f.macro, &a);
    if (f.kind == TL_JV_GLOBAL) return tl_jglobal_call(&a, f.global);
    tl_jfail(r->h, "\"%.*s\" is no function that is known (mend the template)",
             (int)TL_MIN(a.name.bytes, (size_t)80), a.name.text);
}

static tl_jvalue sliced(running *r, const tl_jnode *n)
{
    const tl_jvalue v = value_of(r, n->a);
    const tl_jvalue from = n->b ? value_of(r, n->b) : tl_jnone(),
                    to   = n->c ? value_of(r, n->c) : tl_jnone(),
                    by   = n->d ? value_of(r, n->d) : tl_jnone();
    const int64_t   step = by.kind == TL_JV_INT ? by.whole : 1;
    tl_jlist        all;
    tl_jvalue       out;
    int64_t         first, count;

    if (v.kind == TL_JV_UNDEFINED || (v.kind != TL_JV_LIST && v.kind != TL_JV_TEXT))
        mismatch(r, (tl_string){ "[:]", 3 }, v, tl_jnone());
    all   = tl_jitems(r->h, v);
    count = tl_jslice(r->h, (int64_t)all.count, from, to, step, &first);
    out   = tl_jlist_new(r->h, (size_t)count);
    for (int64_t i = 0; i < count; i++) out.list->at[i] = all.at[first + i * step];
    if (v.kind == TL_JV_LIST) return out;
    tl_jbuild t = { .heap = r->h };
    for (int64_t i = 0; i < count; i++) tl_jadd_value(&t, out.list->at[i]);
    return tl_jtext(tl_jbuilt(&t));
}

static tl_jvalue list_of(running *r, const tl_jnode *n)
{
    size_t    count = 0;
    tl_jvalue v;

    for (const tl_jnode *one = n->a; one; one = one->next) count++;
    v     = tl_jlist_new(r->h, count);
    count = 0;
    for (const tl_jnode *one = n->a; one; one = one->next)
        v.list->at[count++] = value_of(r, one);
    v.list->tuple = n->negated;
    return v;
}

static tl_jvalue dict_of(running *r, const tl_jnode *n)
{
    tl_jvalue d = tl_jdict_new(r->h, TL_JV_DICT);

    for (const tl_jnode *key = n->a; key; key = key->next->next) {
        const tl_jvalue name = value_of(r, key);
        if (name.kind != TL_JV_TEXT) tl_jfail(r->h, "keys are texts (mend the template)");
        tl_jdict_set(r->h, d.dict, name.text, value_of(r, key->next->a));
    }
    return d;
}

static tl_jvalue negative(running *r, tl_jvalue v)
{
    if (v.kind == TL_JV_REAL) return tl_jreal(-v.real);
    if (!tl_jis_number(v) || (v.kind == TL_JV_INT && v.whole == INT64_MIN))
        mismatch(r, (tl_string){ "-", 1 }, tl_jnone(), v);
    return tl_jint(v.kind == TL_JV_BOOL ? -v.truth : -v.whole);
}

static tl_jvalue evaluate(running *r, const tl_jnode *n)
{
    tl_jargs  a;
    tl_jvalue v;

    switch (n->kind) {
    case TL_J_TEXT: return tl_jtext(n->name);
    case TL_J_INT: return tl_jint(n->whole);
    case TL_J_REAL: return tl_jreal(n->real);
    case TL_J_TRUE: return tl_jbool(true);
    case TL_J_FALSE: return tl_jbool(false);
    case TL_J_NONE: return tl_jnone();
    case TL_J_NAME: return named(r, n->name);
    case TL_J_ATTR: return tl_jattr(r->h, value_of(r, n->a), tl_jtext(n->name));
    case TL_J_INDEX:
        v = value_of(r, n->a);
        return tl_jattr(r->h, v, value_of(r, n->b));
    case TL_J_SLICE: return sliced(r, n);
    case TL_J_CALL: return called(r, n);
    case TL_J_FILTER:
    case TL_J_TEST:
        v = value_of(r, n->a);
        arguments(r, n->b, n->name, &a);
        r->h->line = n->line;
        if (n->kind == TL_J_FILTER) return tl_jfilter(&a, v);
        return tl_jbool(tl_jtest(&a, v) != n->negated);
    case TL_J_LIST: return list_of(r, n);
    case TL_J_DICT: return dict_of(r, n);
    case TL_J_BINARY:
        v = value_of(r, n->a);
        return binary(r, n->name, v, value_of(r, n->b));
    case TL_J_COMPARE: return compared(r, n);
    case TL_J_NOT: return tl_jbool(!tl_jtruth(value_of(r, n->a)));
    case TL_J_MINUS: return negative(r, value_of(r, n->a));
    case TL_J_PLUS: return value_of(r, n->a);
    case TL_J_AND: return v = value_of(r, n->a), tl_jtruth(v) ? value_of(r, n->b) : v;
    case TL_J_OR: return v = value_of(r, n->a), tl_jtruth(v) ? v : value_of(r, n->b);
    case TL_J_COND:
        if (tl_jtruth(value_of(r, n->a))) return value_of(r, n->b);
        return n->c ? value_of(r, n->c) : tl_jundefined((tl_string){ "else", 4 });
    default: tl_jfail(r->h, "a statement stands for a value (mend the template)");
    }
}

static tl_jvalue value_of(running *r, const tl_jnode *n)
{
    tl_jvalue v;

    tl_jstep(r->h);
    tl_jdeeper(r->h);
    r->h->line = n->line;
    v          = evaluate(r, n);
    r->h->depth--;
    return v;
}

/* ---- statements ---- */
/* One name, or as many as the value has items. */
static void assign(running *r, const tl_jnode *target, tl_jvalue v)
{
    tl_jlist all;
    size_t   i = 0;

    if (!target->next) {
        tl_jdict_set(r->h, r->at->names, target->name, v);
        return;
    }
    all = tl_jitems(r->h, v);
    for (; target; target = target->next, i++) {
        if (i >= all.count) tl_jfail(r->h, "more names than items (mend the template)");
        tl_jdict_set(r->h, r->at->names, target->name, all.at[i]);
    }
    if (i < all.count) tl_jfail(r->h, "more items than names (mend the template)");
}

static void set(running *r, const tl_jnode *target, tl_jvalue v)
{
    tl_jvalue *space;

    if (target->kind != TL_J_ATTR) {
        assign(r, target, v);
        return;
    }
    space = find(r, target->a->name);
    if (!space || space->kind != TL_JV_SPACE)
        tl_jfail(r->h, "\"%.*s\" is no namespace, which alone can be changed (mend the template)",
                 (int)TL_MIN(target->a->name.bytes, (size_t)80), target->a->name.text);
    tl_jdict_set(r->h, space->dict, target->name, v);
}

static void say_loop(running *r, tl_jdict *d, const tl_jlist *all, size_t i)
{
    const int64_t at = (int64_t)i, n = (int64_t)all->count;
    const struct { const char *name; tl_jvalue v; } says[] = {
        { "index", tl_jint(at + 1) },    { "index0", tl_jint(at) },
        { "revindex", tl_jint(n - at) }, { "revindex0", tl_jint(n - at - 1) },
        { "first", tl_jbool(i == 0) },   { "last", tl_jbool(at + 1 == n) },
        { "length", tl_jint(n) },        { "depth", tl_jint(1) },
        { "depth0", tl_jint(0) },
        { "previtem", i ? all->at[i - 1] : tl_jundefined((tl_string){ "previtem", 8 }) },
        { "nextitem",
          at + 1 < n ? all->at[i + 1] : tl_jundefined((tl_string){ "nextitem", 8 }) },
    };

    for (size_t k = 0; k < TL_COUNT(says); k++)
        tl_jdict_set(r->h, d, (tl_string){ says[k].name, strlen(says[k].name) }, says[k].v);
}

/* Those items for which the loop's `if` holds. */
static tl_jlist chosen(running *r, const tl_jnode *n)
{
    const tl_jlist all = tl_jitems(r->h, value_of(r, n->b));
    frame *const   was = r->at;
    tl_jlist       out = { NULL, 0, false };

    if (!n->c || !all.count) return all;
    out.at = tl_jtake(r->h, all.count * sizeof *out.at);
    for (size_t i = 0; i < all.count; i++) {
        frame f;
        enter(r, &f, was);
        assign(r, n->a, all.at[i]);
        if (tl_jtruth(value_of(r, n->c))) out.at[out.count++] = all.at[i];
        r->at = was;
    }
    return out;
}

static void loop(running *r, const tl_jnode *n)
{
    const tl_jlist all = chosen(r, n);
    frame *const   was = r->at;
    flow           way = ON;
    frame          f;

    for (size_t i = 0; i < all.count && way != BREAK; i++) {
        tl_jvalue says = tl_jdict_new(r->h, TL_JV_DICT);
        tl_jstep(r->h);
        enter(r, &f, was);
        say_loop(r, says.dict, &all, i);
        tl_jdict_set(r->h, f.names, (tl_string){ "loop", 4 }, says);
        assign(r, n->a, all.at[i]);
        way   = run_all(r, n->d->b);
        r->at = was;
    }
    if (all.count) return;
    enter(r, &f, was);
    run_all(r, n->d->c);
    r->at = was;
}

/* What the statements print, as a text. */
static tl_jvalue captured(running *r, const tl_jnode *body)
{
    frame *const     was = r->at;
    tl_jbuild *const out = r->out;
    tl_jbuild        made = { .heap = r->h };
    frame            f;

    enter(r, &f, was);
    r->out = &made;
    run_all(r, body);
    r->at  = was;
    r->out = out;
    return tl_jtext(tl_jbuilt(&made));
}

static void set_block(running *r, const tl_jnode *n)
{
    tl_jvalue v = captured(r, n->b);
    tl_jargs  a;

    /* filters apply from the innermost, which stands first */
    const tl_jnode *chain[16];
    int             count = 0;
    for (const tl_jnode *f = n->c; f; f = f->a) {
        if (count == 16) tl_jfail(r->h, "too many filters (mend the template)");
        chain[count++] = f;
    }
    while (count-- > 0) {
        arguments(r, chain[count]->b, chain[count]->name, &a);
        v = tl_jfilter(&a, v);
    }
    set(r, n->a, v);
}

static void add_span(running *r, size_t from, size_t to)
{
    if (r->spans == r->room) {
        const size_t  room = r->room ? 2 * r->room : 16;
        tl_text_span *more = tl_jtake(r->h, room * sizeof *more);
        if (r->spans) memcpy(more, r->span, r->spans * sizeof *more);
        r->span = more;
        r->room = room;
    }
    r->span[r->spans++] = (tl_text_span){ from, to };
}

static void generation(running *r, const tl_jnode *n)
{
    const size_t    from = r->out->bytes;
    const tl_jvalue v    = captured(r, n->b);

    tl_jadd_value(r->out, v);
    if (r->out == r->main) add_span(r, from, r->out->bytes);
}

static flow run_one(running *r, const tl_jnode *n)
{
    switch (n->kind) {
    case TL_J_DATA: tl_jadd(r->out, n->name.text, n->name.bytes); return ON;
    case TL_J_PRINT: tl_jadd_value(r->out, value_of(r, n->a)); return ON;
    case TL_J_IF: /* an "elif" is the only statement of its "else" */
        return run_all(r, !n->a || tl_jtruth(value_of(r, n->a)) ? n->b : n->c);
    case TL_J_FOR: loop(r, n); return ON;
    case TL_J_SET: set(r, n->a, value_of(r, n->b)); return ON;
    case TL_J_SET_BLOCK: set_block(r, n); return ON;
    case TL_J_MACRO:
        tl_jdict_set(r->h, r->at->names, n->name,
                     (tl_jvalue){ .kind = TL_JV_MACRO, .macro = n });
        return ON;
    case TL_J_GENERATION: generation(r, n); return ON;
    case TL_J_BREAK: return BREAK;
    case TL_J_CONTINUE: return CONTINUE;
    default: tl_jfail(r->h, "a value stands for a statement (mend the template)");
    }
}

static flow run_all(running *r, const tl_jnode *n)
{
    flow way = ON;

    tl_jdeeper(r->h);
    for (; n && way == ON; n = n->next) {
        tl_jstep(r->h);
        r->h->line = n->line;
        way        = run_one(r, n);
    }
    r->h->depth--;
    return way;
}

/* ---- from outside ---- */
void tl_template_free(tl_ctx *ctx, tl_template *t)
{
    if (!t) return;
    t->heap.ctx = ctx;
    tl_jheap_end(&t->heap);
    tl_free(ctx, t->where);
    tl_free(ctx, t);
}

tl_status tl_template_parse(tl_ctx *ctx, const char *where, const char *text, size_t bytes,
                            tl_template **out)
{
    tl_template *t = NULL;
    size_t       bad;
    tl_status    rc;

    *out = NULL;
    TL_TRY(tl_alloc(ctx, sizeof *t, &t));
    TL_TRY(tl_strdup(ctx, where, &t->where));
    if (tl_utf8_valid(text, bytes, &bad) < bytes)
        TL_FAIL(TL_EDATA, where, "is no UTF-8 (fetch it again)");
    t->heap.ctx   = ctx;
    t->heap.where = t->where;
    if (setjmp(t->heap.out) == 0) t->root = tl_jparse(&t->heap, tl_jlex(&t->heap, text, bytes));
    rc = t->heap.status;
    if (rc == TL_OK) *out = t;
done:
    if (!*out) tl_template_free(ctx, t);
    return rc;
}

/* Everything that may leave by longjmp. */
static void render(running *r, const tl_template *t, const json_t *variables)
{
    tl_jvalue all = tl_jfrom_json(r->h, variables);
    frame    *f   = tl_jtake(r->h, sizeof *f);

    if (all.kind != TL_JV_DICT) tl_jfail(r->h, "variables are no object");
    enter(r, f, NULL);
    f->names = all.dict;
    r->root  = f;
    r->main = r->out = tl_jtake(r->h, sizeof *r->out);
    r->out->heap     = r->h;
    run_all(r, t->root);
}

static tl_status hand_over(tl_ctx *ctx, const running *r, tl_rendered *out)
{
    tl_status rc;

    TL_TRY(tl_alloc(ctx, r->main->bytes + 1, &out->text));
    TL_TRY(tl_alloc_array(ctx, r->spans + 1, sizeof *out->generation, &out->generation));
    if (r->main->bytes) memcpy(out->text, r->main->s, r->main->bytes);
    if (r->spans) memcpy(out->generation, r->span, r->spans * sizeof *r->span);
    out->bytes       = r->main->bytes;
    out->generations = r->spans;
done:
    return rc;
}

tl_status tl_template_render(tl_ctx *ctx, const tl_template *t, const json_t *variables,
                             bool clock, tl_rendered *out)
{
    struct { tl_jheap heap; running r; } *work = NULL;
    tl_status rc;

    *out = (tl_rendered){ 0 };
    TL_TRY(tl_alloc(ctx, sizeof *work, &work));
    work->heap = (tl_jheap){ .ctx = ctx, .where = t->where, .line = 1 };
    work->r    = (running){ .h = &work->heap, .clock = clock };
    if (setjmp(work->heap.out) == 0) render(&work->r, t, variables);
    TL_TRY(work->heap.status);
    TL_TRY(hand_over(ctx, &work->r, out));
done:
    if (work) tl_jheap_end(&work->heap);
    tl_free(ctx, work);
    if (rc != TL_OK) tl_rendered_free(ctx, out);
    return rc;
}

void tl_rendered_free(tl_ctx *ctx, tl_rendered *r)
{
    tl_free(ctx, r->text);
    tl_free(ctx, r->generation);
    *r = (tl_rendered){ 0 };
}
