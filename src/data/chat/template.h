/* template.h -- chat templates: the part of Jinja that published models use, as Transformers
 * renders it (trim_blocks, lstrip_blocks, loop controls, {% generation %}).  A template is data,
 * not a program to be trusted: it reads the variables it is given and makes text; steps, depth,
 * memory and output are bounded, lists and objects cannot be changed, nothing else can be reached.
 * Sources: jinja.palletsprojects.com/en/stable/templates, Transformers' chat_template_utils.py.
 * Floor 2, data.  Fuzz target: tests/fuzz/chat_template.c. */
#ifndef TL_DATA_CHAT_TEMPLATE_H
#define TL_DATA_CHAT_TEMPLATE_H
#include "core/json.h"
#include "core/text.h"

typedef struct tl_template tl_template;
/* `where` names it in errors.  TL_EDATA "where:line: ..." on what is no template, or asks for what
 * is not known. */
tl_status tl_template_parse(tl_ctx *ctx, const char *where, const char *text, size_t bytes,
                            tl_template **out);
void      tl_template_free(tl_ctx *ctx, tl_template *t); /* NULL is fine */

typedef struct { size_t from, to; } tl_text_span; /* bytes */
typedef struct {
    char         *text;       /* owned                                                     */
    size_t        bytes;
    tl_text_span *generation; /* what {% generation %} blocks made, in order; owned        */
    size_t        generations;
} tl_rendered;
/* `variables`: an object.  `clock`: the template may ask for the time (strftime_now).  TL_EDATA
 * with the template's line, also where the template itself raises an exception; TL_ELIMIT where it
 * does not come to an end. */
tl_status tl_template_render(tl_ctx *ctx, const tl_template *t, const json_t *variables,
                             bool clock, tl_rendered *out);
void      tl_rendered_free(tl_ctx *ctx, tl_rendered *r); /* safe to repeat */
#endif
