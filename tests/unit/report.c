/* report.c -- the page holds its numbers, asks for nothing outside, and no text in the data
 * can break out of it. */
#include "support/support.h"
#include "core/io.h"
#include "study/compare.h"

#include <string.h>

static char *page_of(const char *verdict_text, const char *detail_text)
{
    tl_ctx  *ctx = test_fresh();
    char    *top = test_folder(), *path;
    json_t  *verdict, *detail;
    uint8_t *page;
    size_t   bytes;

    TEST_OK(tl_json_parse(ctx, "v", verdict_text, strlen(verdict_text), &verdict));
    TEST_OK(tl_json_parse(ctx, "d", detail_text, strlen(detail_text), &detail));
    TEST_OK(tl_path_join(ctx, top, "report.html", &path));
    TEST_OK(tl_report_write(ctx, verdict, detail, path));
    TEST_OK(tl_file_read(ctx, path, 1 << 22, &page, &bytes));
    json_decref(verdict);
    json_decref(detail);
    tl_free(ctx, path);
    test_folder_end(top);
    return (char *)page;
}

static void text_of_the_data_cannot_leave_its_block(void **state)
{
    char *page = page_of("{\"task\": \"</script><img src=x onerror=alert(1)>\"}",
                         "{\"sentence\": \"<!--<script>\"}");

    (void)state;
    assert_null(strstr(page, "</script><img"));
    assert_non_null(strstr(page, "<\\/script><img"));
    tl_free(test_ctx(), page);
}

static void nothing_is_asked_of_the_network(void **state)
{
    char *page = page_of("{}", "{}");

    (void)state;
    assert_non_null(strstr(page, "default-src 'none'"));
    for (const char *at = page; (at = strstr(at, "http")); at++)
        assert_true(strncmp(at, "http-equiv", 10) == 0 ||
                    strncmp(at, "http://www.w3.org/2000/svg", 26) == 0);
    tl_free(test_ctx(), page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_of_the_data_cannot_leave_its_block),
        cmocka_unit_test(nothing_is_asked_of_the_network),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
