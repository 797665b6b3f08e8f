/* bad.c -- see bad.h. */
#include "support/bad.h"
#include "core/io.h"

#include <fcntl.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

enum { CPU_S = 10, WALL_S = 100, MOST_WORDS = 40, MOST_KIB = 700 << 10, SHOWN = 4000 };

static char *top; /* the folder of all cases of this process */

void test_bad_add(test_bad_list *list, test_bad b)
{
    if (list->count == list->room) {
        list->room = 2 * list->room + 64;
        list->row  = realloc(list->row, list->room * sizeof *list->row);
        assert_non_null(list->row);
    }
    b.name                   = strdup(b.name);
    b.file                   = b.file ? strdup(b.file) : NULL;
    b.seed                   = b.seed ? strdup(b.seed) : NULL;
    list->row[list->count++] = b;
}

void test_bad_write(const char *path, const void *data, size_t bytes)
{
    char folder[512];

    if (strrchr(path, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(path, '/') - path), path);
        TEST_OK(tl_make_folders(test_ctx(), folder));
    }
    TEST_OK(tl_file_append(test_ctx(), path, data, bytes));
}

void test_bad_gzip(const char *path, const void *data, size_t bytes, int64_t times)
{
    gzFile gz = gzopen(path, "wb1");

    assert_non_null(gz);
    for (int64_t i = 0; i < times; i++)
        assert_int_equal(gzwrite(gz, data, (unsigned)bytes), bytes);
    assert_int_equal(gzclose(gz), Z_OK);
}

char *test_bad_seed(const char *path, size_t *bytes)
{
    char     full[512], *copy;
    uint8_t *data;

    snprintf(full, sizeof full, "%s/%s", path[0] == '.' ? "." : TEST_FOLDER, path);
    TEST_OK(tl_file_read(test_ctx(), full, (size_t)1 << 26, &data, bytes));
    copy = malloc(*bytes + 1);
    assert_non_null(copy);
    memcpy(copy, data, *bytes + 1);
    tl_free(test_ctx(), data);
    return copy;
}

static void write_cut(const test_bad *b)
{
    size_t bytes, keep;
    char  *data = test_bad_seed(b->seed, &bytes);

    keep = b->n < 0 ? bytes - (size_t)-b->n : bytes * (size_t)b->n / 1000;
    test_bad_write(b->file, data, keep);
    free(data);
}

void test_bad_cuts(test_bad_list *list, test_bad b, const int *cuts, size_t count)
{
    char name[200];

    for (size_t i = 0; i < count; i++) {
        test_bad row = b;
        snprintf(name, sizeof name, "%s_cut_%s%d", b.name, cuts[i] < 0 ? "from_end_" : "",
                 abs(cuts[i]));
        row.name = name;
        row.n    = cuts[i];
        row.make = write_cut;
        test_bad_add(list, row);
    }
}

/* ---- the program ---- */
typedef struct {
    int  status, signal;
    long peak_kib;
} ending;

static void point_at(int fd, const char *path, int flags)
{
    const int to = open(path, flags, 0600);

    if (to < 0 || dup2(to, fd) < 0) _exit(126);
}

static void be_the_program(const char *command, const char *file, const char *log)
{
    const struct rlimit limit   = { CPU_S, CPU_S };
    const char         *program = getenv("TAILOR");
    char                words[2000], *word[MOST_WORDS + 1] = { NULL }, path[600];
    int                 n = 0;

    snprintf(words, sizeof words, "%s", command);
    word[n++] = "tailor";
    for (char *w = strtok(words, " "); w && n < MOST_WORDS; w = strtok(NULL, " ")) {
        for (char *c = w; *c; c++)
            if (*c == '~') *c = ' ';
        word[n++] = strcmp(w, "$") == 0 ? (char *)(uintptr_t)file : w;
    }
    point_at(0, "/dev/null", O_RDONLY);
    snprintf(path, sizeof path, "%s.out", log);
    point_at(1, path, O_WRONLY | O_CREAT | O_TRUNC);
    snprintf(path, sizeof path, "%s.err", log);
    point_at(2, path, O_WRONLY | O_CREAT | O_TRUNC);
    setrlimit(RLIMIT_CPU, &limit);
    alarm(WALL_S);
    execv(program ? program : "tailor", word);
    _exit(127);
}

static ending run(const char *command, const char *file, const char *log)
{
    struct rusage used;
    int           status = 0;
    const pid_t   child = fork();

    if (child == 0) be_the_program(command, file, log);
    assert_true(child > 0 && wait4(child, &status, 0, &used) == child);
    return (ending){ WIFEXITED(status) ? WEXITSTATUS(status) : -1,
                     WIFSIGNALED(status) ? WTERMSIG(status) : 0, used.ru_maxrss };
}

static char *read_log(const char *log, const char *end)
{
    char     path[600], *copy;
    uint8_t *data;
    size_t   bytes;

    snprintf(path, sizeof path, "%s.%s", log, end);
    TEST_OK(tl_file_read(test_ctx(), path, (size_t)1 << 26, &data, &bytes));
    copy = strdup((char *)data);
    tl_free(test_ctx(), data);
    return copy;
}

void test_bad_tailor(const char *command)
{
    char         log[600];
    const ending e = (snprintf(log, sizeof log, "%s/log", top), run(command, "", log));

    if (e.status != 0)
        fail_msg("tailor %s: status %d, signal %d: %.*s", command, e.status, e.signal,
                 SHOWN, read_log(log, "err"));
}

/* ---- the judgement ---- */
static bool matches(const char *text, const char *pattern)
{
    regex_t r;
    bool    yes;

    assert_int_equal(regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE), 0);
    yes = regexec(&r, text, 0, NULL, 0) == 0;
    regfree(&r);
    return yes;
}

/* The lines that begin with "tailor: "; *last: the last line. */
static int error_lines(const char *err, const char **last)
{
    int n = 0;

    for (const char *line = err; *line;) {
        const char *end = strchr(line, '\n');
        n += strncmp(line, "tailor: ", 8) == 0;
        *last = line;
        line  = end ? end + 1 : line + strlen(line);
    }
    return n;
}

static const char *wrong_line(const test_bad *b, const char *out, const char *err)
{
    const char *last = "";

    if (error_lines(err, &last) != 1 || strncmp(last, "tailor: ", 8) != 0)
        return "not one error line at the end";
    if (!matches(last, "^tailor: .+: .+ \\(.+\\)$")) return "no place, reason and remedy";
    for (const unsigned char *c = (const unsigned char *)err; *c; c++)
        if ((*c < 32 && *c != '\n') || *c == 127) return "a control character";
    if (b->says && !matches(last, b->says) && !matches(out, b->says))
        return "not what it should say";
    return NULL;
}

static const char *judge(const test_bad *b, const ending *e, const char *out,
                         const char *err)
{
    if (e->signal == SIGXCPU || e->signal == SIGALRM || e->signal == SIGKILL)
        return "a hang";
    if (e->signal) return "a crash";
    if (e->status != b->status) return "another exit status";
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    if (e->peak_kib > MOST_KIB) return "too much memory";
#endif
    return wrong_line(b, out, err);
}

static size_t entries(void)
{
    tl_names names;
    size_t   n;

    TEST_OK(tl_folder_list(test_ctx(), ".", &names));
    n = names.count;
    tl_names_free(test_ctx(), &names);
    return n;
}

static void one(void **state)
{
    const test_bad *b = *state;
    const char     *why;
    char            folder[600], log[700], *out, *err;
    size_t          before;
    ending          e;

    snprintf(folder, sizeof folder, "%s/case", top);
    snprintf(log, sizeof log, "%s/log", top);
    assert_int_equal(chdir(top), 0);
    TEST_OK(tl_remove_tree(test_ctx(), folder));
    TEST_OK(tl_make_folders(test_ctx(), folder));
    assert_int_equal(chdir(folder), 0);
    if (b->text) test_bad_write(b->file, b->text, b->bytes);
    if (b->make) b->make(b);
    before = entries();
    e      = run(b->command, b->file ? b->file : "", log);
    out    = read_log(log, "out");
    err    = read_log(log, "err");
    why    = judge(b, &e, out, err);
    if (!why && entries() != before) why = "something was written";
    if (why)
        fail_msg("%s: tailor %s: %s: status %d (not %d), signal %d, %ld KiB\n%.*s\n%.*s",
                 b->name, b->command, why, e.status, b->status, e.signal, e.peak_kib,
                 SHOWN, err, SHOWN / 8, out);
    free(out);
    free(err);
}

static void (*make_good)(void);

static int set_up(void **state)
{
    char good[600];

    (void)state;
    top = test_folder();
    snprintf(good, sizeof good, "%s/good", top);
    TEST_OK(tl_make_folders(test_ctx(), good));
    assert_int_equal(chdir(good), 0);
    if (make_good) make_good();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    test_folder_end(top);
    return 0;
}

static void end_list(test_bad_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const test_bad *b = &list->row[i];
        free((char *)(uintptr_t)b->name);
        free((char *)(uintptr_t)b->file);
        free((char *)(uintptr_t)b->seed);
    }
    free(list->row);
    *list = (test_bad_list){ 0 };
}

int test_bad_run(const char *group, test_bad_list *list, void (*good)(void))
{
    struct CMUnitTest *tests = calloc(list->count, sizeof *tests);
    int                rc;

    assert_non_null(tests);
    for (size_t i = 0; i < list->count; i++)
        tests[i] = (struct CMUnitTest){ .name          = list->row[i].name,
                                        .test_func     = one,
                                        .initial_state = &list->row[i] };
    make_good = good;
    rc        = _cmocka_run_group_tests(group, tests, list->count, set_up, tear_down);
    free(tests);
    end_list(list);
    return rc;
}
