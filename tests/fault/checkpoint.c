/* checkpoint.c -- a checkpoint cut at any byte is seen and the one before it is used; the n-th
 * allocation, read or write failing leaves the last good one. */
#include "core/io.h"
#include "support/support.h"
#include "train/checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char said[1024];

static void hear(void *user, int level, const char *line)
{
    (void)user;
    if (level == TL_LOG_WARN) snprintf(said, sizeof said, "%s", line);
}

typedef struct { float weight[37]; double best; } pair;

/* The first two, the fifth and the last. */
static tl_section some_of(float weight[37])
{
    static const tl_piece piece[] = { { 0, 8 }, { 16, 4 }, { 144, 4 } };

    return (tl_section){
        .name = "some", .data = weight, .bytes = 16, .piece = piece, .pieces = TL_COUNT(piece)
    };
}

static tl_status take(const tl_checkpoint *c, const char *name, void *data, size_t bytes)
{
    const tl_section s = tl_section_of(name, data, bytes);

    return tl_checkpoint_take(test_ctx(), c, &s);
}

/* Each piece comes to its place, and nothing besides. */
static void pieces_in_place(const tl_checkpoint *c)
{
    float            w[37] = { 0 };
    const tl_section s     = some_of(w);

    TEST_OK(tl_checkpoint_take(test_ctx(), c, &s));
    for (int i = 0; i < 37; i++) {
        const bool asked = i < 2 || i == 4 || i == 36;
        assert_true(w[i] == (asked ? (float)(c->generation + i) : 0.0f));
    }
}

static tl_status save(const char *folder, int64_t generation, float mark)
{
    pair             p     = { .best = (double)mark };
    json_t          *state = json_pack("{s:I}", "step", (json_int_t)generation * 10);
    const tl_section s[]   = { tl_section_of("weights", p.weight, sizeof p.weight),
                               some_of(p.weight), tl_section_of("best", &p.best, sizeof p.best) };
    tl_status        rc;

    for (int i = 0; i < 37; i++) p.weight[i] = mark + (float)i;
    rc = tl_checkpoint_save(test_ctx(), folder, "print", generation, state, s, 3);
    json_decref(state);
    return rc;
}

/* Generation found, or -1; checks that all of it belongs together. */
static tl_status load(const char *folder, const char *print, int64_t *generation)
{
    pair          p = { .best = 0.0 };
    tl_checkpoint c;
    tl_status     rc = tl_checkpoint_open(test_ctx(), folder, print, &c);

    *generation = c.generation;
    if (rc == TL_OK && c.generation >= 0) {
        TEST_OK(take(&c, "best", &p.best, sizeof p.best));
        TEST_OK(take(&c, "weights", p.weight, sizeof p.weight));
        assert_int_equal(take(&c, "weights", p.weight, 8), TL_EDATA);
        assert_int_equal(take(&c, "moments", p.weight, 8), TL_EDATA);
        pieces_in_place(&c);
        assert_int_equal(tl_json_int(c.state, "step", -1), c.generation * 10);
        assert_true(p.best == (double)c.generation &&
                    p.weight[36] == (float)c.generation + 36.0f);
    }
    tl_checkpoint_close(test_ctx(), &c);
    return rc;
}

static char *slot(const char *folder, int64_t generation)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/state.%d", folder, (int)(generation % 2));
    return path;
}

static void newest_is_taken(void **state)
{
    char   *folder = test_folder();
    int64_t generation;

    (void)state;
    TEST_OK(load(folder, "print", &generation));
    assert_int_equal(generation, -1);
    for (int64_t g = 0; g < 5; g++) {
        TEST_OK(save(folder, g, (float)g));
        TEST_OK(load(folder, "print", &generation));
        assert_int_equal(generation, g);
    }
    assert_int_equal(load(folder, "another", &generation), TL_EUSAGE);
    assert_non_null(strstr(test_ctx()->message, "other settings"));
    test_folder_end(folder);
}

static void cut_at_every_byte(void **state)
{
    char    *folder = test_folder();
    uint8_t *whole;
    size_t   bytes;
    int64_t  generation;

    (void)state;
    test_fresh()->world->log = hear;
    TEST_OK(save(folder, 6, 6.0f));
    TEST_OK(save(folder, 7, 7.0f));
    TEST_OK(tl_file_read(test_ctx(), slot(folder, 7), 1 << 20, &whole, &bytes));
    for (size_t cut = 0; cut < bytes; cut++) {
        said[0] = 0;
        assert_int_equal(truncate(slot(folder, 7), (off_t)cut), 0);
        TEST_OK(load(folder, "print", &generation));
        assert_int_equal(generation, 6);
        assert_non_null(strstr(said, "the checkpoint before it is used"));
        TEST_OK(tl_file_write(test_ctx(), slot(folder, 7), whole, bytes));
    }
    for (size_t at = 0; at < bytes; at++) {
        whole[at] ^= 0x10;
        TEST_OK(tl_file_write(test_ctx(), slot(folder, 7), whole, bytes));
        TEST_OK(load(folder, "print", &generation));
        assert_int_equal(generation, 6);
        whole[at] ^= 0x10;
    }
    TEST_OK(tl_file_write(test_ctx(), slot(folder, 7), whole, bytes));
    TEST_OK(load(folder, "print", &generation));
    assert_int_equal(generation, 7);
    tl_free(test_ctx(), whole);
    assert_int_equal(test_ctx()->world->now_bytes, 0);
    test_folder_end(folder);
}

/* Fails call n = 1, 2, ... of one kind until saving succeeds; the older one stays whole. */
static void saving_fails_anywhere(void **state)
{
    char   *folder = test_folder();
    int64_t generation;

    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        tl_world *world = test_fresh()->world;
        TEST_OK(tl_remove_tree(test_ctx(), folder));
        TEST_OK(save(folder, 1, 1.0f));
        for (int64_t n = 1;; n++) {
            atomic_store(kind ? &world->fault_write : &world->fault_alloc, n);
            const tl_status rc = save(folder, 2, 2.0f);
            atomic_store(&world->fault_write, 0);
            atomic_store(&world->fault_alloc, 0);
            assert_int_equal(world->now_bytes, 0);
            if (rc == TL_OK) {
                assert_true(n > 3);
                break;
            }
            assert_true(rc == TL_ENOMEM || rc == TL_ENOSPC || rc == TL_EIO);
            assert_true(strlen(test_ctx()->message) > 5);
            TEST_OK(load(folder, "print", &generation));
            assert_int_equal(generation, 1);
        }
        TEST_OK(load(folder, "print", &generation));
        assert_int_equal(generation, 2);
    }
    test_folder_end(folder);
}

static void loading_fails_anywhere(void **state)
{
    char     *folder = test_folder();
    tl_world *world  = test_fresh()->world;
    int64_t   generation;

    (void)state;
    TEST_OK(save(folder, 1, 1.0f));
    TEST_OK(save(folder, 2, 2.0f));
    for (int kind = 0; kind < 2; kind++)
        for (int64_t n = 1;; n++) {
            atomic_store(kind ? &world->fault_read : &world->fault_alloc, n);
            const tl_status rc = load(folder, "print", &generation);
            atomic_store(&world->fault_read, 0);
            atomic_store(&world->fault_alloc, 0);
            assert_int_equal(world->now_bytes, 0);
            if (rc == TL_OK) {
                assert_int_equal(generation, 2);
                assert_true(n > 2);
                break;
            }
            assert_true(rc == TL_ENOMEM || rc == TL_EIO);
        }
    test_folder_end(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_is_taken),       cmocka_unit_test(cut_at_every_byte),
        cmocka_unit_test(saving_fails_anywhere), cmocka_unit_test(loading_fails_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
