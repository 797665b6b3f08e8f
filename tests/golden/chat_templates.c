/* chat_templates.c -- conversations rendered by published models' chat templates, and small
 * templates for each part of the language, against Transformers (chat_templates.json, made by
 * tools/golden/chat_templates.py): byte for byte, the spans of {% generation %} too. */
#include "data/chat/template.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static json_t *variables(const json_t *file, const json_t *c)
{
    const size_t  talk = (size_t)tl_json_int(c, "messages", 0);
    json_t       *v    = json_pack("{s:O, s:s, s:s, s:s, s:n, s:b, s:s}", "messages",
                                   json_array_get(json_object_get(file, "messages"), talk),
                                   "bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>",
                                   "documents", "add_generation_prompt",
                                   tl_json_bool(c, "prompt", false), "date_string", "01 Jan 2025");

    if (tl_json_bool(c, "tools", false))
        json_object_set(v, "tools", json_object_get(file, "tools"));
    else json_object_set_new(v, "tools", json_null());
    assert_non_null(v);
    return v;
}

static void check_spans(const char *name, const tl_rendered *got, const json_t *want)
{
    if (!want) return;
    if (got->generations != json_array_size(want))
        fail_msg("%s: %zu generated spans, not %zu", name, got->generations, json_array_size(want));
    for (size_t i = 0; i < got->generations; i++) {
        const json_t *pair = json_array_get(want, i);
        assert_int_equal(got->generation[i].from, json_integer_value(json_array_get(pair, 0)));
        assert_int_equal(got->generation[i].to, json_integer_value(json_array_get(pair, 1)));
    }
}

static int check_case(const json_t *file, const json_t *c)
{
    const char   *name = tl_json_text(c, "name", ""), *error = tl_json_text(c, "error", NULL);
    const json_t *text = json_array_get(json_object_get(file, "templates"),
                                        (size_t)tl_json_int(c, "template", 0));
    tl_ctx       *ctx  = test_ctx();
    json_t       *v    = variables(file, c);
    tl_template  *t;
    tl_rendered   got;
    tl_status     rc;
    int           bad = 0;

    TEST_OK(tl_template_parse(ctx, name, json_string_value(text), json_string_length(text), &t));
    rc = tl_template_render(ctx, t, v, true, &got);
    if (error) {
        if (rc != TL_EDATA) bad = 1, fprintf(stderr, "# %s: not refused\n", name);
        /* what the template itself says is passed on */
        else if (!strstr(error, "undefined") && !strstr(ctx->message, error))
            bad = 1, fprintf(stderr, "# %s: \"%s\", not \"%s\"\n", name, ctx->message, error);
    } else if (rc != TL_OK) {
        bad = 1;
        fprintf(stderr, "# %s: %s\n", name, ctx->message);
    } else if (strcmp(got.text, tl_json_text(c, "text", ""))) {
        bad = 1;
        fprintf(stderr, "# %s\n#   got  %s\n#   want %s\n", name, got.text,
                tl_json_text(c, "text", ""));
    } else check_spans(name, &got, json_object_get(c, "generation"));
    tl_rendered_free(ctx, &got);
    tl_template_free(ctx, t);
    json_decref(v);
    return bad;
}

static void templates_equal_transformers(void **state)
{
    tl_ctx *ctx = test_fresh();
    json_t *file, *c;
    size_t  i;
    int     bad = 0, spans = 0;

    (void)state;
    TEST_OK(tl_json_read(ctx, TEST_FOLDER "/golden/chat_templates.json", 1 << 22, &file));
    json_array_foreach(json_object_get(file, "cases"), i, c)
    {
        bad += check_case(file, c);
        spans += json_array_size(json_object_get(c, "generation")) > 0;
    }
    if (bad) fail_msg("%d of %zu cases differ", bad, i);
    assert_true(i >= 100 && spans >= 4);
    json_decref(file);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* What no template should be able to do, and what is none. */
static const struct { const char *text; tl_status status; const char *says; } bad[] = {
    { "{% for x in messages %}", TL_EDATA, "bad:1: the template ends where endfor is wanted" },
    { "a\n{{ 1 + }}", TL_EDATA, "bad:2: " },
    { "{{ 'a }}", TL_EDATA, "a text does not end" },
    { "{# a", TL_EDATA, "a comment does not end" },
    { "{% if %}{% endif %}", TL_EDATA, "bad:1" },
    { "{% include 'x' %}", TL_EDATA, "\"include\" stands where a statement" },
    { "{% import 'os' as os %}", TL_EDATA, "\"import\"" },
    { "\n{{ x.y }}", TL_EDATA, "bad:2: \"x\" is undefined" },
    { "{{ ''.__class__ }}{{ ''.__class__.__mro__ }}", TL_EDATA, "\"__class__\" is undefined" },
    { "{{ messages.append(1) }}", TL_EDATA, "\"append\" is no function" },
    { "{{ open('x') }}", TL_EDATA, "\"open\" is no function" },
    { "{{ 'a' | system }}", TL_EDATA, "filter system: is not known" },
    { "{{ 1 is number is string }}", TL_EDATA, "tests do not follow" },
    { "{{ 1 is evil }}", TL_EDATA, "evil: no such test" },
    { "{{ 1 // 0 }}", TL_EDATA, "division by 0" },
    { "{{ 9223372036854775807 + 1 }}", TL_EDATA, "too large" },
    { "{{ 99999999999999999999 }}", TL_EDATA, "too large" },
    { "{{ 'a' < 1 }}", TL_EDATA, "have no order" },
    { "{{ none + 1 }}", TL_EDATA, "none + a number has no meaning" },
    { "{{ raise_exception('mine') }}", TL_EDATA, "the template says: mine" },
    { "{% set messages.x = 1 %}", TL_EDATA, "no namespace" },
    { "{{ [1][1:2:0] }}", TL_EDATA, "steps of 0" },
    { "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", TL_ELIMIT,
      NULL },
    { "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", TL_EDATA, "nests too deep" },
    { "{{ 'abcdefgh' * 99999999999 }}", 0, NULL },
    { "{% set ns = namespace(a='x') %}{% for i in range(60) %}"
      "{% set ns.a = ns.a + ns.a %}{% endfor %}",
      0, NULL },
    { "{{ range(999999999) }}", TL_EDATA, "100,000" },
    { "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns == ns }}{{ ns.me | tojson }}", TL_EDATA,
      "not for tojson" },
    { "\xff", TL_EDATA, "no UTF-8" },
    { "{{ \x01 }}", TL_EDATA, "not understood" },
    { "{{ 'x' | indent(100000) }}", TL_EDATA, "a width up to 200" },
};

static void bad_templates_are_told(void **state)
{
    tl_ctx *ctx = test_fresh();
    json_t *v   = json_pack("{s:[]}", "messages");

    (void)state;
    for (size_t i = 0; i < TL_COUNT(bad); i++) {
        tl_template *t   = NULL;
        tl_rendered  got = { 0 };
        tl_status    rc  = tl_template_parse(ctx, "bad", bad[i].text, strlen(bad[i].text), &t);
        if (rc == TL_OK) rc = tl_template_render(ctx, t, v, false, &got);
        if (bad[i].status ? rc != bad[i].status : rc == TL_OK)
            fail_msg("%s: %s: %s", bad[i].text, tl_status_name(rc), ctx->message);
        if (bad[i].says && !strstr(ctx->message, bad[i].says))
            fail_msg("%s: %s", bad[i].text, ctx->message);
        tl_rendered_free(ctx, &got);
        tl_template_free(ctx, t);
    }
    json_decref(v);
    assert_int_equal(ctx->world->now_bytes, 0);
}

static void nesting_is_bounded(void **state)
{
    tl_ctx      *ctx = test_fresh();
    tl_text      s   = tl_text_make(ctx);
    tl_template *t;

    (void)state;
    tl_text_add(&s, "{{ ");
    for (int i = 0; i < 100000; i++) tl_text_add(&s, "(");
    for (int i = 0; i < 100000; i++) tl_text_add(&s, ")");
    tl_text_add(&s, " }}");
    assert_int_equal(tl_template_parse(ctx, "deep", s.text, s.bytes, &t), TL_EDATA);
    assert_non_null(strstr(ctx->message, "nests too deep"));
    s.bytes = 0;
    for (int i = 0; i < 5000; i++) tl_text_add(&s, "{% if true %}");
    assert_int_equal(tl_template_parse(ctx, "deep", s.text, s.bytes, &t), TL_EDATA);
    s.bytes = 0;
    tl_text_add(&s, "{{ ");
    for (int i = 0; i < 100000; i++) tl_text_add(&s, "not ");
    assert_int_equal(tl_template_parse(ctx, "deep", s.text, s.bytes, &t), TL_EDATA);
    tl_text_free(&s);
    assert_int_equal(ctx->world->now_bytes, 0);
}

/* The time is known only where it is asked to be. */
static void the_clock_is_for_those_who_may(void **state)
{
    static const char text[] = "{{ strftime_now is defined }} "
                               "{{ strftime_now('%Y') if strftime_now is defined }}";
    tl_ctx      *ctx = test_fresh();
    json_t      *v   = json_object();
    tl_template *t;
    tl_rendered  got;

    (void)state;
    TEST_OK(tl_template_parse(ctx, "clock", text, strlen(text), &t));
    TEST_OK(tl_template_render(ctx, t, v, false, &got));
    assert_string_equal(got.text, "False ");
    tl_rendered_free(ctx, &got);
    TEST_OK(tl_template_render(ctx, t, v, true, &got));
    assert_int_equal(strncmp(got.text, "True 20", 7), 0);
    tl_rendered_free(ctx, &got);
    tl_template_free(ctx, t);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_equal_transformers),
        cmocka_unit_test(bad_templates_are_told),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(the_clock_is_for_those_who_may),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
