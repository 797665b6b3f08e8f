/* inside.h -- what the files of the template interpreter share: a heap that ends as one, nodes,
 * values.  An error leaves by longjmp to where the heap was begun: everything in between lives
 * in the heap.  Floor 2, data. */
#ifndef TL_DATA_CHAT_INSIDE_H
#define TL_DATA_CHAT_INSIDE_H
#include "core/json.h"
#include "data/tokenizer/tokenizer.h"

#include <setjmp.h>

enum { TL_J_MOST_DEPTH = 300, TL_J_MOST_STEPS = 5000000, TL_J_MOST_OUTPUT = 64 << 20 };

typedef struct tl_jchunk tl_jchunk;
typedef struct {
    tl_ctx     *ctx;
    const char *where;
    tl_jchunk  *chunk; /* the latest */
    char       *at;
    size_t      left, taken;
    int         line;  /* of the template, for errors */
    int         depth;
    int64_t     steps;
    tl_status   status;
    jmp_buf     out;
} tl_jheap;
/* Zeroed memory; leaves on failure. */
void *tl_jtake(tl_jheap *h, size_t bytes);
void  tl_jheap_end(tl_jheap *h);
_Noreturn void tl_jfail(tl_jheap *h, const char *format, ...)
    __attribute__((format(printf, 2, 3))); /* TL_EDATA "where:line: ..." */
void tl_jstep(tl_jheap *h);  /* one step of work; leaves when there were too many */
void tl_jdeeper(tl_jheap *h); /* one level; h->depth-- ends it */

/* ---- tokens ---- */
typedef enum {
    TL_JT_DATA, TL_JT_PRINT, TL_JT_PRINT_END, TL_JT_BLOCK, TL_JT_BLOCK_END, TL_JT_NAME,
    TL_JT_TEXT, TL_JT_INT, TL_JT_REAL, TL_JT_OP, TL_JT_END
} tl_jtoken_kind;
typedef struct {
    tl_jtoken_kind kind;
    int            line;
    tl_string      text;   /* of an operator its characters */
    int64_t        whole;
    double         real;
} tl_jtoken;
/* All of a template's tokens, TL_JT_END last. */
tl_jtoken *tl_jlex(tl_jheap *h, const char *text, size_t bytes);

/* ---- nodes ---- */
typedef enum {
    TL_J_TEXT, TL_J_INT, TL_J_REAL, TL_J_TRUE, TL_J_FALSE, TL_J_NONE, TL_J_NAME, TL_J_ATTR,
    TL_J_INDEX, TL_J_SLICE, TL_J_CALL, TL_J_FILTER, TL_J_TEST, TL_J_LIST, TL_J_DICT,
    TL_J_BINARY, TL_J_COMPARE, TL_J_NOT, TL_J_MINUS, TL_J_PLUS, TL_J_AND, TL_J_OR, TL_J_COND,
    TL_J_ARG,
    TL_J_DATA, TL_J_PRINT, TL_J_IF, TL_J_FOR, TL_J_SET, TL_J_SET_BLOCK, TL_J_MACRO,
    TL_J_GENERATION, TL_J_BREAK, TL_J_CONTINUE
} tl_jkind;
typedef struct tl_jnode tl_jnode;
struct tl_jnode {
    tl_jkind  kind;
    int       line;
    bool      negated;  /* of tests; of lists: a tuple                                    */
    tl_string name;     /* text, name, operator                                           */
    int64_t   whole;
    double    real;
    tl_jnode *a, *b, *c, *d; /* parts, as tl_jparse says                                  */
    tl_jnode *next;     /* in a list of items, arguments or statements                    */
};
tl_jnode *tl_jparse(tl_jheap *h, const tl_jtoken *token); /* the first statement, or NULL */

/* ---- values ---- */
typedef enum {
    TL_JV_UNDEFINED, TL_JV_NONE, TL_JV_BOOL, TL_JV_INT, TL_JV_REAL, TL_JV_TEXT, TL_JV_LIST,
    TL_JV_DICT, TL_JV_SPACE, TL_JV_MACRO, TL_JV_GLOBAL
} tl_jvalue_kind;
typedef struct tl_jvalue tl_jvalue;
typedef struct { tl_jvalue *at; size_t count; bool tuple; } tl_jlist;
typedef struct { tl_jvalue *key, *at; size_t count, room; } tl_jdict; /* keys are texts */
struct tl_jvalue {
    tl_jvalue_kind kind;
    union {
        bool            truth;
        int64_t         whole;
        double          real;
        tl_string       text;   /* of an undefined one the name that was asked for        */
        tl_jlist       *list;
        tl_jdict       *dict;   /* also of a namespace                                    */
        const tl_jnode *macro;
        int             global;
    };
};

static inline tl_jvalue tl_jundefined(tl_string name)
{
    return (tl_jvalue){ .kind = TL_JV_UNDEFINED, .text = name };
}
static inline tl_jvalue tl_jnone(void) { return (tl_jvalue){ .kind = TL_JV_NONE }; }
static inline tl_jvalue tl_jbool(bool b) { return (tl_jvalue){ .kind = TL_JV_BOOL, .truth = b }; }
static inline tl_jvalue tl_jint(int64_t i) { return (tl_jvalue){ .kind = TL_JV_INT, .whole = i }; }
static inline tl_jvalue tl_jreal(double r) { return (tl_jvalue){ .kind = TL_JV_REAL, .real = r }; }
static inline tl_jvalue tl_jtext(tl_string s)
{
    return (tl_jvalue){ .kind = TL_JV_TEXT, .text = s };
}
tl_jvalue tl_jtext_of(const char *s);
tl_jvalue tl_jlist_new(tl_jheap *h, size_t count); /* undefined items, to be set */
tl_jvalue tl_jdict_new(tl_jheap *h, tl_jvalue_kind kind);
void       tl_jdict_set(tl_jheap *h, tl_jdict *d, tl_string key, tl_jvalue v);
tl_jvalue *tl_jdict_get(const tl_jdict *d, tl_string key); /* NULL: not there */
tl_jvalue  tl_jfrom_json(tl_jheap *h, const json_t *value);

bool tl_jis_number(tl_jvalue v); /* also true and false, as in Python */
double tl_jnumber(tl_jvalue v);
bool tl_jtruth(tl_jvalue v);
bool tl_jequal(tl_jheap *h, tl_jvalue a, tl_jvalue b);
int  tl_jorder(tl_jheap *h, tl_jvalue a, tl_jvalue b); /* leaves where they have none */
bool tl_jcontains(tl_jheap *h, tl_jvalue all, tl_jvalue one);
/* Items of a list, keys of an object, characters of a text, nothing of what is undefined. */
tl_jlist tl_jitems(tl_jheap *h, tl_jvalue v);
const char *tl_jkind_name(tl_jvalue v); /* "a text" */
bool tl_jsame(tl_string s, const char *word);

/* A text that grows in the heap. */
typedef struct { tl_jheap *heap; char *s; size_t bytes, room; } tl_jbuild;
void      tl_jadd(tl_jbuild *b, const char *s, size_t bytes);
void      tl_jadd_value(tl_jbuild *b, tl_jvalue v); /* as Python's str() */
tl_string tl_jbuilt(const tl_jbuild *b);
tl_string tl_jstr(tl_jheap *h, tl_jvalue v);
/* As Python's json.dumps; indent < 0: on one line. */
typedef struct { int indent; bool ascii, sorted; tl_string item, key; } tl_jjson;
tl_string tl_jjson_text(tl_jheap *h, tl_jvalue v, const tl_jjson *how);

int64_t   tl_jchars(tl_string s);
tl_string tl_jchar(tl_string s, int64_t i); /* one, or empty beyond the end */
/* Where Python's [start:stop:step] begins and how many items it takes of n. */
int64_t   tl_jslice(tl_jheap *h, int64_t n, tl_jvalue start, tl_jvalue stop, int64_t step,
                    int64_t *first);

/* ---- filters, tests, methods, functions ---- */
enum { TL_J_MOST_ARGS = 16 };
typedef struct {
    tl_jheap *heap;
    bool      clock;
    tl_string name; /* of what is called, for errors */
    tl_jvalue value[TL_J_MOST_ARGS];
    tl_string key[TL_J_MOST_ARGS]; /* bytes 0: by place */
    int       count;
} tl_jargs;
/* The i-th by place, or the one called `key`; *out untouched where there is none. */
bool tl_jarg(const tl_jargs *a, int i, const char *key, tl_jvalue *out);
tl_jvalue tl_jfilter(const tl_jargs *a, tl_jvalue v);
bool      tl_jtest(const tl_jargs *a, tl_jvalue v);
/* False: it has no such method. */
bool      tl_jmethod(const tl_jargs *a, tl_jvalue self, tl_jvalue *out);
int       tl_jglobal(tl_string name); /* -1: none */
tl_jvalue tl_jglobal_call(const tl_jargs *a, int global);
/* An attribute or item of a value; undefined where there is none. */
tl_jvalue tl_jattr(tl_jheap *h, tl_jvalue v, tl_jvalue key);
#endif
