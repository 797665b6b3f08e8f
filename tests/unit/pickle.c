/* pickle.c -- hostile pickles, built by hand: nothing runs, nothing is allocated beyond
 * the file's own size, every refusal says what was asked. */
#include "support/support.h"
#include "model/formats/pickle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A pickle under construction. */
typedef struct { uint8_t *data; size_t bytes, room; } build;

static void add(build *b, const void *data, size_t bytes)
{
    if (b->bytes + bytes > b->room) {
        b->room = 2 * (b->room + bytes);
        b->data = realloc(b->data, b->room);
        assert_non_null(b->data);
    }
    memcpy(b->data + b->bytes, data, bytes);
    b->bytes += bytes;
}

static void add_text(build *b, const char *text)
{
    const uint8_t head[2] = { 0x8c, (uint8_t)strlen(text) };

    add(b, head, 2);
    add(b, text, strlen(text));
}

#define ADD(b, literal) add((b), (literal), sizeof(literal) - 1)

static build begin(void)
{
    build b = { 0 };

    ADD(&b, "\x80\x02");
    return b;
}

/* Reads and forgets; the message stays in test_ctx(). */
static tl_status run(build *b)
{
    tl_ctx          *ctx = test_ctx();
    tl_pickle       *p;
    tl_pickle_value *top;
    size_t           at = 0;
    tl_weights       w  = { 0 };
    tl_status        rc;

    TEST_OK(tl_pickle_new(ctx, "archive.pth", b->data, &p));
    rc = tl_pickle_read(ctx, p, &at, b->bytes, &top);
    if (rc == TL_OK) rc = tl_pickle_weights(ctx, "archive.pth", top, &w);
    tl_weights_close(ctx, &w);
    tl_pickle_free(ctx, p);
    assert_int_equal(ctx->world->now_bytes, 0);
    free(b->data);
    *b = (build){ 0 };
    return rc;
}

static void refused(build *b, const char *what)
{
    ADD(b, ".");
    const tl_status rc = run(b);
    if (rc != TL_EDATA || !strstr(test_ctx()->message, what))
        fail_msg("wanted \"%s\", got %s: %s", what, tl_status_name(rc),
                 test_ctx()->message);
    assert_non_null(strstr(test_ctx()->message, "archive.pth"));
}

static void calls_are_refused_by_name(void **state)
{
    static const char *const asked[][2] = {
        { "os", "system" },
        { "builtins", "eval" },
        { "__builtin__", "exec" },
        { "posix", "system" },
        { "subprocess", "Popen" },
        { "torch", "load" },
        { "torch.nn.modules.linear", "Linear" },
        { "numpy.core.multiarray", "_reconstruct" },
        { "torch._utils", "_rebuild_tensor_v2.__globals__" },
        { "functools", "partial" },
    };

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(asked); i++) {
        char  want[128], line[128];
        build b = begin();
        const int n = snprintf(line, sizeof line, "c%s\n%s\n", asked[i][0], asked[i][1]);
        snprintf(want, sizeof want,
                 "archive.pth@2: asks to call %s.%s (refused: Tailor never "
                 "runs code",
                 asked[i][0], asked[i][1]);
        add(&b, line, (size_t)n);
        add_text(&b, "touch /tmp/never");
        ADD(&b, "\x85R");
        refused(&b, want);

        b = begin();
        add_text(&b, asked[i][0]);
        add_text(&b, asked[i][1]);
        ADD(&b, "\x93)R");
        refused(&b, "refused: Tailor never runs code");
    }
}

static void names_cannot_draw_on_the_terminal(void **state)
{
    build b = begin();

    (void)state;
    test_fresh();
    ADD(&b, "cos\x1b[2J\nsys\x07tem\n)R");
    refused(&b, "os?[2J.sys?tem");
}

static void other_ways_to_objects_are_refused(void **state)
{
    build b = begin();

    (void)state;
    test_fresh();
    ADD(&b, "ios\nsystem\n");            /* INST      */
    refused(&b, "opcode 0x69");
    b = begin();
    ADD(&b, "(cos\n");                   /* cut GLOBAL */
    refused(&b, "cut short");
    b = begin();
    ADD(&b, "ccollections\nOrderedDict\n)\x81"); /* NEWOBJ */
    refused(&b, "opcode 0x81");
    b = begin();
    ADD(&b, "]}b");                      /* BUILD on a list */
    refused(&b, "sets the state");
    b = begin();
    ADD(&b, "}]b");
    refused(&b, "sets the state");
    b = begin();
    ADD(&b, "})R");                      /* calls a dict */
    refused(&b, "no function");
    b = begin();
    ADD(&b, "ctorch\nFloatStorage\n)R");
    refused(&b, "no function");
    b = begin();
    ADD(&b, "ccollections\nOrderedDict\nK\x01R");
    refused(&b, "no function");
    b = begin();
    ADD(&b, "\x82\x01");                 /* EXT1 */
    refused(&b, "opcode 0x82");
}

static void broken_machines_are_errors(void **state)
{
    static const char *const programs[] = {
        "0",   "1",    "R",     "t",     "u",       "a",     "s",         "e",
        "b",   "Q",    "]u",    "(a",    "}(K\1u",  "}K\1s", "\x86",      "h\1",
        "q\1", "(q\1", "(K\1d", "K\1(e", "K\1K\2a", "\x93",  "K\1K\2\x93"
    };

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(programs); i++) {
        build b = begin();
        add(&b, programs[i], strlen(programs[i]));
        ADD(&b, ".");
        assert_int_equal(run(&b), TL_EDATA);
    }
}

/* A million nested lists and tuples: no recursion to overflow. */
static void deep_nesting_is_harmless(void **state)
{
    build b = begin();

    (void)state;
    test_fresh();
    for (int i = 0; i < 1000000; i++) ADD(&b, "]");
    for (int i = 0; i < 999999; i++) ADD(&b, "a");
    refused(&b, "holds no dict");
    b = begin();
    ADD(&b, ")");
    for (int i = 0; i < 1000000; i++) ADD(&b, "\x85");
    refused(&b, "holds no dict");
    b = begin();
    for (int i = 0; i < 100; i++) ADD(&b, "}K\1");
    ADD(&b, "}");
    for (int i = 0; i < 100; i++) ADD(&b, "s");
    refused(&b, "nested over");
    b = begin();
    ADD(&b, "}q\1K\1h\1s");              /* a dict in itself */
    ADD(&b, ".");
    assert_int_equal(run(&b), TL_EDATA);
}

/* Each dict holds the one before twice: 2^40 ways to walk, 60 of them deep. */
static void shared_dicts_do_not_explode(void **state)
{
    build b = begin();

    (void)state;
    test_fresh();
    ADD(&b, "}q\1");
    for (int i = 1; i < 50; i++) {
        const uint8_t put[] = { '}', 'q', (uint8_t)(i + 1), '(', 'K', 1, 'h', (uint8_t)i,
                                'K', 2,   'h', (uint8_t)i, 'u' };
        add(&b, put, sizeof put);
    }
    ADD(&b, ".");
    assert_int_equal(run(&b), TL_ELIMIT);
}

static void sizes_ask_for_nothing(void **state)
{
    static const struct {
        const char *program;
        size_t      bytes;
        const char *what;
    } bombs[] = {
        { "X\xff\xff\xff\x7f", 5, "cut short" },
        { "X\xff\xff\xff\xff", 5, "cut short" },
        { "\x8d\xff\xff\xff\xff\xff\xff\xff\x7f", 9, "cut short" },
        { "\x8d\xff\xff\xff\xff\xff\xff\xff\xff", 9, "cut short" },
        { "\x8b\xff\xff\xff\x7f", 5, "cut short" },
        { "]r\xff\xff\xff\x7f", 6, "out of order" },
        { "]r\xff\xff\xff\xff", 6, "out of order" },
        { "]q\x09", 3, "out of order" },
        { "]j\xff\xff\xff\xff", 6, "never remembered" },
    };

    (void)state;
    test_fresh();
    for (size_t i = 0; i < TL_COUNT(bombs); i++) {
        build b = begin();
        add(&b, bombs[i].program, bombs[i].bytes);
        refused(&b, bombs[i].what);
    }
    assert_true(test_ctx()->world->peak_bytes < 1 << 20);
}

static void steps_are_bounded(void **state)
{
    build b = begin();

    (void)state;
    test_fresh();
    for (int i = 0; i < 5 << 20; i++) ADD(&b, "N");
    ADD(&b, ".");
    assert_int_equal(run(&b), TL_ELIMIT);
    assert_true(test_ctx()->world->peak_bytes < (size_t)256 << 20);
}

/* {"w": _rebuild_tensor_v2(storage of `numel`, offset, size, stride)}, each pushed by
 * text. */
static build tensor(const char *numel, const char *offset, const char *size,
                    size_t size_bytes, const char *stride, size_t stride_bytes)
{
    build b = begin();

    ADD(&b, "}");
    add_text(&b, "w");
    ADD(&b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    add_text(&b, "storage");
    ADD(&b, "ctorch\nFloatStorage\n");
    add_text(&b, "0");
    add_text(&b, "cpu");
    add(&b, numel, strlen(numel));
    ADD(&b, "tQ");
    add(&b, offset, strlen(offset));
    add(&b, size, size_bytes);
    add(&b, stride, stride_bytes);
    ADD(&b, "\x89}tRs");
    return b;
}
#define TENSOR(numel, offset, size, stride) \
    tensor(numel, offset, size, sizeof(size) - 1, stride, sizeof(stride) - 1)

static void tensors_stay_in_their_storage(void **state)
{
    build b = TENSOR("K\4", "K\1", "K\2\x85", "K\3\x85");

    (void)state;
    test_fresh();
    refused(&b, "reaches element 4 of a storage of 4");
    b = TENSOR("K\4", "K\4", "K\1\x85", "K\1\x85");
    refused(&b, "reaches element 4");
    b = TENSOR("K\4", "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85");
    refused(&b, "wrong arguments");
    b = TENSOR("J\xff\xff\xff\xff", "K\1", "K\1\x85", "K\1\x85");
    refused(&b, "wrong arguments");
    b = TENSOR("K\4", "K\1", "J\xff\xff\xff\xff\x85", "K\1\x85");
    refused(&b, "wrong arguments");
    b = TENSOR("K\4", "K\1", "K\1\x85", "J\xff\xff\xff\xff\x85");
    refused(&b, "wrong arguments");
    b = TENSOR("K\4", "K\1", "K\2K\2\x86", "K\1\x85");
    refused(&b, "wrong arguments");
    b = TENSOR("K\4", "K\1", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85", "K\0\x85");
    refused(&b, "giant shape");
    b = TENSOR("K\4", "K\1", "K\3\x85", "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85");
    refused(&b, "giant strides");
    b = TENSOR("K\4", "K\1", "K\2\x85", "K\2\x85");
    refused(&b, "leaves its storage");   /* no container gave it data */
}

static void plain_values_are_read(void **state)
{
    tl_ctx          *ctx = test_fresh();
    tl_pickle       *p;
    tl_pickle_value *top, *v;
    size_t           at = 0;
    build            b  = begin();

    (void)state;
    ADD(&b, "}(");
    add_text(&b, "a");
    ADD(&b, "J\xfe\xff\xff\xff");
    add_text(&b, "b");
    ADD(&b, "\x8a\x01\xff");
    add_text(&b, "c");
    ADD(&b, "G\x3f\xf8\0\0\0\0\0\0");
    add_text(&b, "d");
    ADD(&b, "(K\1K\2M\0\1tu.");
    TEST_OK(tl_pickle_new(ctx, "x", b.data, &p));
    TEST_OK(tl_pickle_read(ctx, p, &at, b.bytes, &top));
    assert_int_equal(at, b.bytes);
    assert_int_equal(tl_pickle_get(top, "a")->i, -2);
    assert_int_equal(tl_pickle_get(top, "b")->i, -1);
    assert_true(tl_pickle_get(top, "c")->real == 1.5);
    v = tl_pickle_get(top, "d");
    assert_int_equal(v->kind, TL_PK_TUPLE);
    assert_int_equal(v->count, 3);
    assert_int_equal(v->item[2]->i, 256);
    assert_null(tl_pickle_get(top, "e"));
    tl_pickle_free(ctx, p);
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_refused_by_name),
        cmocka_unit_test(names_cannot_draw_on_the_terminal),
        cmocka_unit_test(other_ways_to_objects_are_refused),
        cmocka_unit_test(broken_machines_are_errors),
        cmocka_unit_test(deep_nesting_is_harmless),
        cmocka_unit_test(shared_dicts_do_not_explode),
        cmocka_unit_test(sizes_ask_for_nothing),
        cmocka_unit_test(steps_are_bounded),
        cmocka_unit_test(tensors_stay_in_their_storage),
        cmocka_unit_test(plain_values_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
