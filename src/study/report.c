/* report.c -- verdict.json and its details as one self-contained page.  The page's head and
 * script are files of study/assets, carried in the program; the numbers go in as two JSON
 * blocks, with every "/" escaped so that no text in them can end the block.  Floor 4, study. */
#include "core/io.h"
#include "core/text.h"
#include "study/compare.h"

#include <stdlib.h>
#include <string.h>

extern const unsigned char tl_asset_report_head_html[], tl_asset_report_js[];
extern const size_t        tl_asset_report_head_html_bytes, tl_asset_report_js_bytes;

static void add_json(tl_text *page, const char *id, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ESCAPE_SLASH | JSON_ENSURE_ASCII |
                                       JSON_REAL_PRECISION(10));

    tl_text_printf(page, "<script type=\"application/json\" id=\"%s\">", id);
    tl_text_add(page, text ? text : "{}");
    tl_text_add(page, "</script>\n");
    free(text);
}

static void add_script(tl_text *page)
{
    tl_text_add(page, "<script>\n");
    tl_text_add_bytes(page, tl_asset_report_js, tl_asset_report_js_bytes);
    tl_text_add(page, "</script>\n</body>\n</html>\n");
}

/* The head lets the page ask for nothing; this one may ask the server it came from. */
tl_status tl_report_live(tl_ctx *ctx, tl_text *page)
{
    static const char closed[] = "default-src 'none';", open[] = " connect-src 'self';";
    const char       *head = (const char *)tl_asset_report_head_html;
    const char       *at =
        memmem(head, tl_asset_report_head_html_bytes, closed, sizeof closed - 1);
    size_t n;

    if (!at)
        return tl_fail(ctx, TL_EFAIL, "report", "its head has no policy (build it anew)");
    n = (size_t)(at - head) + sizeof closed - 1;
    tl_text_add_bytes(page, head, n);
    tl_text_add(page, open);
    tl_text_add_bytes(page, head + n, tl_asset_report_head_html_bytes - n);
    add_script(page);
    return page->status;
}

tl_status tl_report_write(tl_ctx *ctx, const json_t *verdict, const json_t *detail,
                          const char *path)
{
    tl_text   page = tl_text_make(ctx);
    tl_status rc;

    tl_text_add_bytes(&page, tl_asset_report_head_html, tl_asset_report_head_html_bytes);
    add_json(&page, "verdict", verdict);
    add_json(&page, "detail", detail);
    add_script(&page);
    TL_TRY(page.status);
    TL_TRY(tl_file_write(ctx, path, page.text, page.bytes));
done:
    tl_text_free(&page);
    return rc;
}
