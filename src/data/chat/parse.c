/* parse.c -- tokens into nodes.  Parts of a node: attr, index, not, minus, plus: a (and index b);
 * slice: a, from b to c by d; call, filter, test: a of arguments b; list, dict (keys and values
 * in turn): a; binary, and, or: a, b; compare: a, then operators b, each with its operand a; cond:
 * b if a else c; arg: a; if: test a, then b, else c; for: names a in b if c, and d, whose b is the
 * body and whose c is its `else`; set: target a, value b (block: statements b, filter c); macro:
 * parameters a, body b; generation: b.  Source: Jinja's parser.py.  Floor 2, data. */
#include "data/chat/inside.h"

#include <string.h>

typedef struct {
    tl_jheap        *h;
    const tl_jtoken *t;
} parser;

static tl_jnode *expression(parser *p);
static tl_jnode *unary(parser *p, bool with_filter);
static tl_jnode *statements(parser *p, const char *const *ends);

static tl_jnode *node(parser *p, tl_jkind kind)
{
    tl_jnode *n = tl_jtake(p->h, sizeof *n);

    tl_jstep(p->h);
    n->kind = kind;
    n->line = p->h->line = p->t->line;
    return n;
}

static tl_jnode *with(parser *p, tl_jkind kind, tl_jnode *a, tl_jnode *b)
{
    tl_jnode *n = node(p, kind);

    n->a = a;
    n->b = b;
    return n;
}

static bool is_op(const parser *p, const char *op)
{
    return p->t->kind == TL_JT_OP && tl_jsame(p->t->text, op);
}

static bool is_word(const parser *p, const char *word)
{
    return p->t->kind == TL_JT_NAME && tl_jsame(p->t->text, word);
}

static bool take_op(parser *p, const char *op)
{
    const bool is = is_op(p, op);

    p->t += is;
    return is;
}

static bool take_word(parser *p, const char *word)
{
    const bool is = is_word(p, word);

    p->t += is;
    return is;
}

_Noreturn static void unexpected(parser *p, const char *wanted)
{
    p->h->line = p->t->line;
    if (p->t->kind == TL_JT_END) tl_jfail(p->h, "the template ends where %s is wanted", wanted);
    if (p->t->kind == TL_JT_NAME || p->t->kind == TL_JT_OP)
        tl_jfail(p->h, "\"%.*s\" stands where %s is wanted (mend the template)",
                 (int)TL_MIN(p->t->text.bytes, (size_t)40), p->t->text.text, wanted);
    tl_jfail(p->h, "%s is wanted (mend the template)", wanted);
}

static void need_op(parser *p, const char *op)
{
    if (!take_op(p, op)) unexpected(p, op);
}

static tl_string need_name(parser *p)
{
    if (p->t->kind != TL_JT_NAME) unexpected(p, "a name");
    return p->t++->text;
}

static void need_end(parser *p)
{
    if (p->t->kind != TL_JT_BLOCK_END) unexpected(p, "%}");
    p->t++;
}

/* Items up to `close`, as a list through `next`; arguments may be named. */
static tl_jnode *items(parser *p, const char *close, bool arguments)
{
    tl_jnode *first = NULL, **last = &first;

    while (!take_op(p, close)) {
        tl_string key = { NULL, 0 };
        tl_jnode *n;
        if (first) need_op(p, ",");
        if (first && take_op(p, close)) break;
        if (arguments && p->t->kind == TL_JT_NAME && p->t[1].kind == TL_JT_OP &&
            tl_jsame(p->t[1].text, "=")) {
            key = p->t->text;
            p->t += 2;
        }
        n = expression(p);
        if (arguments) {
            n       = with(p, TL_J_ARG, n, NULL);
            n->name = key;
        }
        *last = n;
        last  = &n->next;
    }
    return first;
}

static tl_jnode *dict(parser *p)
{
    tl_jnode *n = node(p, TL_J_DICT), **last = &n->a;

    while (!take_op(p, "}")) {
        if (n->a) need_op(p, ",");
        if (n->a && take_op(p, "}")) break;
        *last = expression(p);
        need_op(p, ":");
        (*last)->next = with(p, TL_J_ARG, expression(p), NULL);
        last          = &(*last)->next->next;
    }
    return n;
}

static tl_jnode *literal(parser *p, tl_jkind kind)
{
    tl_jnode *n = node(p, kind);

    n->name  = p->t->text;
    n->whole = p->t->whole;
    n->real  = p->t->real;
    p->t++;
    return n;
}

/* Texts side by side are one. */
static tl_jnode *text(parser *p)
{
    tl_jnode *n = literal(p, TL_J_TEXT);
    tl_jbuild b = { .heap = p->h };

    if (p->t->kind != TL_JT_TEXT) return n;
    tl_jadd(&b, n->name.text, n->name.bytes);
    for (; p->t->kind == TL_JT_TEXT; p->t++) tl_jadd(&b, p->t->text.text, p->t->text.bytes);
    n->name = tl_jbuilt(&b);
    return n;
}

static tl_jnode *name(parser *p)
{
    static const struct { const char *word; tl_jkind kind; } known[] = {
        { "true", TL_J_TRUE },   { "True", TL_J_TRUE }, { "false", TL_J_FALSE },
        { "False", TL_J_FALSE }, { "none", TL_J_NONE }, { "None", TL_J_NONE },
    };

    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (is_word(p, known[i].word)) return literal(p, known[i].kind);
    return literal(p, TL_J_NAME);
}

/* (a), or a tuple. */
static tl_jnode *bracket(parser *p)
{
    tl_jnode *n = node(p, TL_J_LIST), *first;

    n->negated = true;
    if (take_op(p, ")")) return n;
    first = expression(p);
    if (take_op(p, ")")) return first;
    need_op(p, ",");
    n->a        = first;
    first->next = items(p, ")", false);
    return n;
}

static tl_jnode *primary(parser *p)
{
    switch (p->t->kind) {
    case TL_JT_TEXT: return text(p);
    case TL_JT_INT: return literal(p, TL_J_INT);
    case TL_JT_REAL: return literal(p, TL_J_REAL);
    case TL_JT_NAME: return name(p);
    default: break;
    }
    if (take_op(p, "(")) return bracket(p);
    if (take_op(p, "[")) {
        tl_jnode *n = node(p, TL_J_LIST);
        n->a        = items(p, "]", false);
        return n;
    }
    if (take_op(p, "{")) return dict(p);
    unexpected(p, "a value");
}

/* Behind "[": an index, or a slice whose parts may be left out. */
static tl_jnode *subscript(parser *p, tl_jnode *of)
{
    tl_jnode *part[3] = { NULL, NULL, NULL }, *n;
    int       colons  = 0;

    while (!take_op(p, "]")) {
        if (take_op(p, ":")) {
            if (++colons > 2) unexpected(p, "]");
        } else if (part[colons]) unexpected(p, "]");
        else part[colons] = expression(p);
    }
    if (colons == 0 && !part[0]) unexpected(p, "an index");
    n    = with(p, colons ? TL_J_SLICE : TL_J_INDEX, of, part[0]);
    n->c = part[1];
    n->d = part[2];
    return n;
}

static tl_jnode *postfix(parser *p, tl_jnode *n)
{
    for (;;) {
        if (take_op(p, ".")) {
            n = with(p, TL_J_ATTR, n, NULL);
            if (p->t->kind == TL_JT_INT) {
                n->kind = TL_J_INDEX;
                n->b    = literal(p, TL_J_INT);
            } else n->name = need_name(p);
        } else if (take_op(p, "[")) n = subscript(p, n);
        else if (take_op(p, "(")) {
            n    = with(p, TL_J_CALL, n, NULL);
            n->b = items(p, ")", true);
        } else return n;
    }
}

static tl_jnode *filter(parser *p, tl_jnode *of)
{
    tl_jnode *n = with(p, TL_J_FILTER, of, NULL);

    n->name = need_name(p);
    if (take_op(p, "(")) n->b = items(p, ")", true);
    return n;
}

/* The one argument of a test may stand without brackets. */
static bool begins_argument(const parser *p)
{
    static const char *const words[] = { "else", "or", "and", "is", "if", "in", "not" };

    if (p->t->kind == TL_JT_NAME) {
        for (size_t i = 0; i < TL_COUNT(words); i++)
            if (is_word(p, words[i])) return false;
        return true;
    }
    return p->t->kind == TL_JT_TEXT || p->t->kind == TL_JT_INT || p->t->kind == TL_JT_REAL ||
           is_op(p, "[") || is_op(p, "{");
}

static tl_jnode *test(parser *p, tl_jnode *of)
{
    tl_jnode *n = with(p, TL_J_TEST, of, NULL);

    n->negated = take_word(p, "not");
    n->name    = need_name(p);
    if (take_op(p, "(")) n->b = items(p, ")", true);
    else if (is_word(p, "is")) tl_jfail(p->h, "tests do not follow one another (use `and`)");
    else if (begins_argument(p)) n->b = with(p, TL_J_ARG, postfix(p, primary(p)), NULL);
    return n;
}

static tl_jnode *unary(parser *p, bool with_filter)
{
    tl_jnode *n;

    tl_jdeeper(p->h);
    if (take_op(p, "-")) n = with(p, TL_J_MINUS, unary(p, false), NULL);
    else if (take_op(p, "+")) n = with(p, TL_J_PLUS, unary(p, false), NULL);
    else n = primary(p);
    n = postfix(p, n);
    while (with_filter) {
        if (take_op(p, "|")) n = filter(p, n);
        else if (take_word(p, "is")) n = test(p, n);
        else if (is_op(p, "(")) n = postfix(p, n);
        else break;
    }
    p->h->depth--;
    return n;
}

/* Operators of one level, from the loosest; each level's operands are of the next. */
static const char *const levels[][5] = { { "+", "-" }, { "~" }, { "*", "/", "//", "%" }, { "**" } };

static tl_jnode *arithmetic(parser *p, size_t level)
{
    tl_jnode *n;

    if (level == TL_COUNT(levels)) return unary(p, true);
    n = arithmetic(p, level + 1);
    for (size_t i = 0; i < TL_COUNT(levels[level]) && levels[level][i]; i++) {
        const tl_jtoken *op = p->t;
        if (!is_op(p, levels[level][i])) continue;
        p->t++;
        n       = with(p, TL_J_BINARY, n, arithmetic(p, level + 1));
        n->name = op->text;
        i       = (size_t)-1; /* from the first operator again */
    }
    return n;
}

/* "in" and "not in" are among them; `name` says which. */
static bool comparison(parser *p, tl_string *op)
{
    static const char *const ops[] = { "==", "!=", "<=", ">=", "<", ">" };

    *op = p->t->text;
    for (size_t i = 0; i < TL_COUNT(ops); i++)
        if (take_op(p, ops[i])) return true;
    if (take_word(p, "in")) return true;
    if (!is_word(p, "not") || p->t[1].kind != TL_JT_NAME || !tl_jsame(p->t[1].text, "in"))
        return false;
    p->t += 2;
    return true;
}

static tl_jnode *compared(parser *p)
{
    tl_jnode *n = arithmetic(p, 0), **last = NULL;
    tl_string op;

    while (comparison(p, &op)) {
        tl_jnode *one = with(p, TL_J_ARG, arithmetic(p, 0), NULL);
        one->name     = op;
        if (!last) {
            n    = with(p, TL_J_COMPARE, n, one);
            last = &one->next;
        } else {
            *last = one;
            last  = &one->next;
        }
    }
    return n;
}

static tl_jnode *negation(parser *p)
{
    tl_jnode *n;

    if (!take_word(p, "not")) return compared(p);
    tl_jdeeper(p->h);
    n = with(p, TL_J_NOT, negation(p), NULL);
    p->h->depth--;
    return n;
}

static tl_jnode *conjunction(parser *p)
{
    tl_jnode *n = negation(p);

    while (take_word(p, "and")) n = with(p, TL_J_AND, n, negation(p));
    return n;
}

static tl_jnode *disjunction(parser *p)
{
    tl_jnode *n = conjunction(p);

    while (take_word(p, "or")) n = with(p, TL_J_OR, n, conjunction(p));
    return n;
}

static tl_jnode *expression(parser *p)
{
    tl_jnode *n;

    tl_jdeeper(p->h);
    n = disjunction(p);
    while (take_word(p, "if")) {
        tl_jnode *c = node(p, TL_J_COND);
        c->b        = n;
        c->a        = disjunction(p);
        if (take_word(p, "else")) c->c = expression(p);
        n = c;
    }
    p->h->depth--;
    return n;
}

/* An expression, or several with commas between them: a tuple. */
static tl_jnode *tuple(parser *p)
{
    tl_jnode *n = expression(p), **last = &n->next, *all;

    if (!is_op(p, ",")) return n;
    all          = node(p, TL_J_LIST);
    all->a       = n;
    all->negated = true;
    while (take_op(p, ",")) {
        if (p->t->kind == TL_JT_BLOCK_END || p->t->kind == TL_JT_PRINT_END) break;
        *last = expression(p);
        last  = &(*last)->next;
    }
    return all;
}

/* ---- statements ---- */
/* a, or a, b, or (a, b): names through `next`. */
static tl_jnode *targets(parser *p)
{
    const bool bracketed = take_op(p, "(");
    tl_jnode  *first = NULL, **last = &first;

    do {
        tl_jnode *n = node(p, TL_J_NAME);
        n->name     = need_name(p);
        *last       = n;
        last        = &n->next;
    } while (take_op(p, ","));
    if (bracketed) need_op(p, ")");
    return first;
}

static tl_jnode *for_statement(parser *p)
{
    static const char *const inner[] = { "else", "endfor", NULL },
                             *const end[] = { "endfor", NULL };
    tl_jnode *n = node(p, TL_J_FOR), *body = node(p, TL_J_IF);

    n->a = targets(p);
    if (!take_word(p, "in")) unexpected(p, "in");
    n->b = disjunction(p);
    if (is_op(p, ",")) unexpected(p, "if, or %}");
    if (take_word(p, "if")) n->c = expression(p);
    if (is_word(p, "recursive")) tl_jfail(p->h, "recursive loops are not supported");
    need_end(p);
    n->d    = body;
    body->b = statements(p, inner);
    if (take_word(p, "else")) {
        need_end(p);
        body->c = statements(p, end);
    }
    p->t++;
    return n;
}

/* Behind "if" or "elif". */
static tl_jnode *if_statement(parser *p)
{
    static const char *const inner[] = { "elif", "else", "endif", NULL },
                             *const end[] = { "endif", NULL };
    tl_jnode *n = node(p, TL_J_IF);

    tl_jdeeper(p->h);
    n->a = tuple(p);
    need_end(p);
    n->b = statements(p, inner);
    if (take_word(p, "elif")) {
        n->c = if_statement(p);
        p->h->depth--;
        return n;
    }
    if (take_word(p, "else")) {
        need_end(p);
        n->c = statements(p, end);
    }
    p->t++;
    p->h->depth--;
    return n;
}

static tl_jnode *set_statement(parser *p)
{
    static const char *const end[] = { "endset", NULL };
    tl_jnode *n = node(p, TL_J_SET);

    n->a = targets(p);
    if (take_op(p, ".")) { /* of a namespace */
        n->a    = with(p, TL_J_ATTR, n->a, NULL);
        n->a->name = need_name(p);
    }
    if (take_op(p, "=")) {
        n->b = tuple(p);
        return n;
    }
    n->kind = TL_J_SET_BLOCK;
    if (n->a->kind == TL_J_NAME && n->a->next) unexpected(p, "=");
    while (take_op(p, "|")) n->c = filter(p, n->c);
    need_end(p);
    n->b = statements(p, end);
    p->t++;
    return n;
}

static tl_jnode *macro_statement(parser *p)
{
    static const char *const end[] = { "endmacro", NULL };
    tl_jnode *n = node(p, TL_J_MACRO), **last = &n->a;

    n->name = need_name(p);
    need_op(p, "(");
    while (!take_op(p, ")")) {
        tl_jnode *one;
        if (n->a) need_op(p, ",");
        one       = node(p, TL_J_ARG);
        one->name = need_name(p);
        if (take_op(p, "=")) one->a = expression(p);
        *last = one;
        last  = &one->next;
    }
    need_end(p);
    n->b = statements(p, end);
    p->t++;
    return n;
}

static tl_jnode *generation(parser *p)
{
    static const char *const end[] = { "endgeneration", NULL };
    tl_jnode *n = node(p, TL_J_GENERATION);

    need_end(p);
    n->b = statements(p, end);
    p->t++;
    return n;
}

static tl_jnode *plain(parser *p, tl_jkind kind)
{
    return node(p, kind);
}
static tl_jnode *break_statement(parser *p) { return plain(p, TL_J_BREAK); }
static tl_jnode *continue_statement(parser *p) { return plain(p, TL_J_CONTINUE); }

static const struct {
    const char *word;
    tl_jnode *(*parse)(parser *p);
} known[] = {
    { "for", for_statement },     { "if", if_statement },
    { "set", set_statement },     { "macro", macro_statement },
    { "generation", generation }, { "break", break_statement },
    { "continue", continue_statement },
};

static tl_jnode *block(parser *p)
{
    for (size_t i = 0; i < TL_COUNT(known); i++)
        if (take_word(p, known[i].word)) {
            tl_jnode *n = known[i].parse(p);
            need_end(p);
            return n;
        }
    unexpected(p, "a statement that is known (for, if, set, macro, generation, break, continue)");
}

static bool ends_here(const parser *p, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (is_word(p, *ends)) return true;
    return false;
}

/* Up to one of the words that end a body, where the parser then stands; NULL: to the template's
 * end. */
static tl_jnode *statements(parser *p, const char *const *ends)
{
    tl_jnode *first = NULL, **last = &first;

    tl_jdeeper(p->h);
    for (;;) {
        tl_jnode *n;
        if (p->t->kind == TL_JT_END) {
            while (ends && ends[1]) ends++;
            if (ends) unexpected(p, *ends);
            break;
        }
        if (p->t->kind == TL_JT_DATA) n = literal(p, TL_J_DATA);
        else if (p->t->kind == TL_JT_PRINT) {
            n = node(p, TL_J_PRINT);
            p->t++;
            n->a = tuple(p);
            if (p->t->kind != TL_JT_PRINT_END) unexpected(p, "}}");
            p->t++;
        } else {
            p->t++;
            if (ends_here(p, ends)) break;
            n = block(p);
        }
        *last = n;
        last  = &n->next;
    }
    p->h->depth--;
    return first;
}

tl_jnode *tl_jparse(tl_jheap *h, const tl_jtoken *token)
{
    parser p = { h, token };

    return statements(&p, NULL);
}
