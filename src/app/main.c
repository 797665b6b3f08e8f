/* main.c -- the program: one command line in, an exit status out.  Floor 5, app. */
#include "app/app.h"
#include "core/io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For the signal handler alone; set once, before any command runs. */
static tailor *interrupted;

/* Once: finish the step and save.  Twice: stop at once; files are only ever whole. */
static void on_signal(int number)
{
    static volatile sig_atomic_t count;

    (void)number;
    if (++count > 1) _exit(130);
    tailor_interrupt(interrupted);
}

static void on_message(void *user, const char *line)
{
    tl_term_say(user, line);
}

static int on_progress(void *user, const tailor_progress *p)
{
    tl_term_progress(user, p);
    return 0;
}

static tl_status set_up(tl_app *app)
{
    struct sigaction action = { .sa_handler = on_signal };

    app->lib = tailor_new();
    if (!app->lib) return tl_fail(&app->ctx, TL_ENOMEM, "memory", "no room to start");
    tailor_on_message(app->lib, on_message, &app->term);
    tailor_on_progress(app->lib, on_progress, &app->term);
    interrupted = app->lib;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return TL_OK;
}

/* What was printed may not have arrived: a full disk, a closed pipe. */
static tl_status flush(tl_app *app, tl_status rc)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout)) return rc;
    return tl_fail(&app->ctx, errno == ENOSPC ? TL_ENOSPC : TL_EIO, "stdout",
                   "%s (make room, or "
                   "write elsewhere)", errno ? strerror(errno) : "could not be written");
}

/* The thread pool reads its settings before main runs, so the program starts itself once more with
 * the setting made.  Its waiting threads spin for milliseconds unless told otherwise, and where
 * another program holds a core every spin is a time slice lost; threads that sleep at once make a
 * small network twice as slow on a quiet machine.  This count is about 0.2 ms (measured: as fast
 * as endless spinning when quiet, as sleeping when busy). */
static void spin_briefly(char **argv)
{
    if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return;
    if (setenv("GOMP_SPINCOUNT", "4000", 1) == 0) execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    tl_app    app = { 0 };
    tl_status rc;

    spin_briefly(argv);
    tl_world_init(&app.world);
    app.ctx = tl_ctx_make(&app.world);
    tl_term_init(&app.term, &app.ctx);
    rc = set_up(&app);
    if (rc == TL_OK) rc = tl_app_run(&app, argc, argv);
    tl_term_finish(&app.term);
    rc = flush(&app, rc);
    if (rc != TL_OK && app.ctx.message[0])
        fprintf(stderr, "%stailor:%s %s\n", tl_term_err(&app.term, TL_RED),
                tl_term_err(&app.term, TL_PLAIN), app.ctx.message);
    tl_args_free(&app.ctx, &app.args);
    interrupted = NULL;
    signal(SIGINT, SIG_DFL);
    tailor_free(app.lib);
    return tl_status_exit(rc);
}
