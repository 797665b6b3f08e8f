/* family.h -- an architecture: from sizes to a graph, and from other projects' tensor names to
 * ours.  A new family: its file in model/families/, its line in families.def.  Floor 2. */
#ifndef TL_MODEL_FAMILY_H
#define TL_MODEL_FAMILY_H
#include "core/json.h"
#include "model/net.h"

typedef struct tl_family tl_family;

/* What a network of text is asked: one answer a sequence, one a token, the token that was masked,
 * the next token.  Pictures and tables: the first. */
typedef enum { TL_ASK_CLASSES, TL_ASK_TOKENS, TL_ASK_MASKED, TL_ASK_NEXT, TL_ASKS } tl_ask;
const char *tl_ask_name(tl_ask ask); /* "classes", "tokens", "masked", "next" */
bool        tl_ask_parse(const char *name, tl_ask *out);

/* One network, resolved: everything that changes its numbers. */
typedef struct {
    const tl_family *family;
    char     name[64];   /* "resnet20", "squeezenet1_0", "words"                            */
    char    *words;      /* layers in words, for that family; owned, else NULL              */
    json_t  *config;     /* the family's own settings (depths, widths, tf_padding...); owned*/
    int64_t  outputs;    /* classes, or regression outputs                                  */
    tl_shape row;        /* of one input row: [h w c] or [d]; of text: [most tokens]        */
    tl_ask   ask;
    double   dropout;    /* before the head where the family has it; < 0: its default       */
    bool     batch_norms;/* takes statistics of its batch; told by tl_arch_batch_norms      */
    tl_adapt adapt;      /* what joins its products                                         */
    bool     source_head;/* the head the base came with, in its own form (SqueezeNet's conv,
                            relu, pool); otherwise pooled features and one linear layer      */
} tl_arch;
bool      tl_arch_words(const tl_arch *arch); /* is it asked for words: a language model?     */
tl_status tl_arch_copy(tl_ctx *ctx, const tl_arch *from, tl_arch *out);
void      tl_arch_free(tl_ctx *ctx, tl_arch *arch); /* safe to repeat */

/* Other projects' tensor names into ours.  The rules of a scheme are tried in order, each on
 * what the ones before it made: the first occurrence of `from` becomes `to`; a leading `^`
 * ties it to the start of the name.  One table a naming scheme.  A name that ends up with
 * "{query,key,value}" in it is a tensor whose rows are those of several parameters of ours. */
typedef struct { const char *from, *to; } tl_rename;
typedef struct { const char *scheme; const tl_rename *rule; size_t rules; } tl_names_map;
/* False when the result does not fit `room` bytes. */
bool tl_names_apply(const tl_names_map *map, const char *name, char *out, size_t room);
/* Our name as Transformers 5 has it in memory, which is not always that of its files. */
bool tl_names_outside(const tl_family *family, const char *name, char *out, size_t room);
/* The k-th of the names that such a name stands for, `name` itself where it has no braces;
 * false past the last. */
bool tl_names_part(const char *name, int k, char *out, size_t room);

/* The tensors of a file: what it holds, not where. */
typedef struct { const char *const *name; const tl_shape *shape; size_t count; } tl_tensors;
const tl_shape *tl_tensors_find(const tl_tensors *tensors, const char *name); /* NULL: none */

struct tl_family {
    const char *name, *doc, *source;
    const char *const *sizes;       /* named sizes, NULL-terminated: "resnet20", ...        */
    const char *const *keys;        /* its own of a config.json, NULL-terminated: any other is
                                       an error by name; NULL: it looks at all by itself     */
    bool        pictures;           /* rows are [h w c]; otherwise any shape will do         */
    bool        text;               /* rows are token ids, packed: see tl_text_inputs        */
    bool        fixed_row;          /* a base takes pictures of its own size only            */
    /* Fill name, config and (unless already given) row of an arch, from the text of a size or
     * from a config.json: one of them is NULL.  TL_EUSAGE or TL_EDATA with the reason: a
     * setting that would change the numbers and is not supported is an error. */
    tl_status (*configure)(tl_ctx *ctx, const char *where, const char *size,
                           const json_t *config, tl_arch *arch);
    /* From a file's tensors alone, their names already ours by the map called `scheme`: TL_OK
     * and the arch filled, or TL_EUSAGE without a message (not mine).  NULL: never. */
    tl_status (*recognise)(tl_ctx *ctx, const char *scheme, const tl_tensors *tensors,
                           tl_arch *arch);
    tl_tensor (*body)(tl_net *net, const tl_arch *arch, tl_tensor x); /* -> features [n d],
                                       the input of the linear head (after pooling); of text
                                       one a sequence, or where the network is asked for
                                       tokens one a token                                    */
    tl_tensor (*head)(tl_net *net, const tl_arch *arch, tl_tensor features); /* -> logits     */
    /* For arch->source_head where it is not linear on pooled features; else NULL. */
    tl_tensor (*whole)(tl_net *net, const tl_arch *arch, tl_tensor x);
    const tl_names_map *maps; size_t n_maps; /* the first has no rules: our own names        */
    const char *default_prep;       /* name of a preprocessing in data/prep.h, "imagenet"     */
    const char *(*class_of)(const tl_arch *arch); /* Transformers' class that reads what we
                                       write; NULL: none does                                */
};
const tl_family *tl_family_at(size_t i);
const tl_family *tl_family_find(const char *name);          /* by family name              */

/* "resnet20", "mlp", "mlp:128x64", "conv 32 3 relu, pool 2, dense 10" or config.json content;
 * errors say what is known and what was probably meant. */
tl_status tl_arch_parse(tl_ctx *ctx, const char *text, tl_shape row, int64_t outputs,
                        tl_arch *out);
tl_status tl_arch_from_config(tl_ctx *ctx, const char *where, const json_t *config, tl_arch *out);
/* Pictures of size x size from here on; `base`: with weights, so that a family whose positions
 * are learned refuses (TL_EUSAGE). */
tl_status tl_arch_resize(tl_ctx *ctx, tl_arch *arch, int64_t size, bool base);
/* The family whose map and recognise fit a file's tensors best; *scheme (may be NULL) is the
 * map's name.  TL_EDATA "where: ..." when none does. */
tl_status tl_arch_recognise(tl_ctx *ctx, const char *where, const tl_tensors *tensors,
                            const char **scheme, tl_arch *out);
json_t   *tl_arch_to_config(const tl_arch *arch);           /* a Hugging Face style config.json:
                                       tl_arch_from_config reads it; labels are the caller's  */
const char *tl_arch_prep(const tl_arch *arch);              /* the preprocessing it was made for */
json_t   *tl_arch_to_json(const tl_arch *arch);             /* what tailor.json keeps        */
tl_status tl_arch_from_json(tl_ctx *ctx, const char *where, const json_t *value, tl_arch *out);

/* Build into net->g.  `part`: the body alone (features kept), the head alone (x are features),
 * or both; of a network cut below block net->cut what lies below (features: the stream there)
 * or above (x is that stream).  On first build, declares the parameters. */
typedef enum {
    TL_PART_WHOLE, TL_PART_BODY, TL_PART_HEAD, TL_PART_BELOW, TL_PART_ABOVE,
    TL_PART_NECK, /* all but the last layer of the head: features are what that layer takes */
    TL_PART_EMBED, /* of texts: the body, asked for tokens, pooled as net->pool says         */
    TL_PART_LOSS  /* of a network that is asked for words: the whole, ending in their loss   */
} tl_part;
typedef struct {
    tl_tensor      x, features, logits; /* of text x is I32 [rows]: token ids               */
    tl_text_inputs text;                /* 0 where the network does not ask for it          */
    tl_word_loss   words;               /* of TL_PART_LOSS                                   */
} tl_built;
tl_status tl_arch_build(tl_net *net, const tl_arch *arch, int64_t rows, tl_part part,
                        tl_built *out);
/* New store with all parameters declared and sealed (values zero until init or load). */
tl_status tl_arch_params(tl_ctx *ctx, const tl_arch *arch, tl_params **out);
/* Does it have norms with statistics of their batch?  Its parameters say. */
tl_status tl_arch_batch_norms(tl_ctx *ctx, const tl_arch *arch, bool *out);
/* Of its head: has it layers before the last one, and is the last one linear with a bias, so
 * that it can be solved? */
tl_status tl_arch_head(tl_ctx *ctx, const tl_arch *arch, bool *deep, bool *solvable);
int64_t   tl_arch_features(tl_ctx *ctx, const tl_arch *arch); /* width of features; -1 error */
int       tl_arch_blocks(const tl_params *params);            /* 1 + the deepest block       */
/* "layer  output shape  parameters" lines, as Keras's summary, for people. */
tl_status tl_arch_summary(tl_ctx *ctx, const tl_arch *arch, char **text);
#endif
