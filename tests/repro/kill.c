/* kill.c -- a training process killed (SIGKILL) at random moments, and gone on with until it
 * ends, gives the bits of one that was left alone.  All training happens in children, so that
 * no thread pool lives across a fork. */
#include "core/io.h"
#include "core/machine.h"
#include "core/rand.h"
#include "support/drawn.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 20 };

/* The child: trains, with checkpoints as often as allowed, and leaves its weights in a file. */
static void train_and_exit(const char *folder, const char *weights, bool checkpoints)
{
    tl_run_result r;
    test_drawn    p;
    int           code = 1;

    test_fresh();
    test_drawn_open(&p, 160, 3, 12, 1,
                    "conv 6 3, norm batch, relu, pool 2, dense 16 relu", "scratch");
    p.spec.candidate.hyper.least_steps = 0;
    p.spec.candidate.hyper.epochs      = 12.0;
    p.spec.checkpoint                  = checkpoints ? folder : NULL;
    p.spec.checkpoint_every_s          = 1e-3;
    if (tl_run_train(test_ctx(), &p.spec, &r) == TL_OK &&
        tl_file_write(test_ctx(), weights, r.model->params->value,
                      (size_t)r.model->params->floats * sizeof(float)) == TL_OK)
        code = 0;
    _exit(code);
}

/* Kills the child after wait_ms (0: never); true when it ended by itself, well. */
static bool child(const char *folder, const char *weights, bool checkpoints,
                  uint64_t wait_ms)
{
    const struct timespec wait = { .tv_sec = (time_t)(wait_ms / 1000),
                                   .tv_nsec = (long)(wait_ms % 1000) * 1000000L };
    const pid_t pid = fork();
    int         status;

    assert_true(pid >= 0);
    if (pid == 0) train_and_exit(folder, weights, checkpoints);
    if (wait_ms) {
        nanosleep(&wait, NULL);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status)) assert_int_equal(WEXITSTATUS(status), 0);
    return WIFEXITED(status);
}

static void killed_at_random(void **state)
{
    char    *folder = test_folder(), straight[512], killed[512], saved[512], state0[600];
    uint8_t *a, *b;
    size_t   bytes, same;
    int      kills = 0;
    uint32_t reach_ms; /* kills fall anywhere within the time of a straight run */
    double   began;

    (void)state;
    snprintf(straight, sizeof straight, "%s/straight.bin", folder);
    snprintf(killed, sizeof killed, "%s/killed.bin", folder);
    began = tl_time_s();
    assert_true(child(folder, straight, false, 0));
    reach_ms = 20 + (uint32_t)(1e3 * (tl_time_s() - began));
    for (int attempt = 0; attempt < 8 && kills == 0; attempt++, reach_ms = reach_ms / 2 + 1) {
        /* the straight run met a slow moment if this one ends before it is killed: earlier, anew */
        snprintf(saved, sizeof saved, "%s/checkpoint%d", folder, attempt);
        for (; kills < KILLS; kills++) {
            const uint64_t wait_ms =
                1 + tl_rand_below(1, TL_STREAM_TEST, (uint64_t)kills, reach_ms);
            if (child(saved, killed, true, wait_ms)) break;
        }
    }
    assert_true(kills > 0);
    snprintf(state0, sizeof state0, "%s/state.0", saved);
    assert_true(tl_exists(state0)); /* else nothing was gone on from */
    if (kills == KILLS) assert_true(child(saved, killed, true, 0));
    TEST_OK(tl_file_read(test_ctx(), straight, 1 << 20, &a, &bytes));
    TEST_OK(tl_file_read(test_ctx(), killed, 1 << 20, &b, &same));
    assert_int_equal(bytes, same);
    assert_int_equal(memcmp(a, b, bytes), 0);
    tl_free(test_ctx(), a);
    tl_free(test_ctx(), b);
    test_folder_end(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(killed_at_random) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
