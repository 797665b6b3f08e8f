/* adapt.h -- small parts that learn beside the frozen products of a network: what they are and
 * which products they join.  tl_net_linear asks here; families do not know.  An adapter is a
 * record of this list, the sum of its parts goes into the product's own weight on merge.
 * Sources: LoRA, Hu et al. 2021, arXiv:2106.09685; rsLoRA, Kalajdzievski 2023, arXiv:2312.03732;
 * DoRA, Liu et al. 2024, arXiv:2402.09353; (IA)3, Liu et al. 2022, arXiv:2205.05638; bottleneck
 * adapters, Houlsby et al. 2019, arXiv:1902.00751; prefixes, Li and Liang 2021, arXiv:2101.00190,
 * Liu et al. 2022, arXiv:2110.07602.  Floor 2, model. */
#ifndef TL_MODEL_ADAPT_H
#define TL_MODEL_ADAPT_H
#include "core/json.h"
#include "model/params.h"

typedef enum {
    TL_ADAPT_NONE,
    TL_ADAPT_LORA,       /* x W^T + s (drop(x) A^T) B^T                                     */
    TL_ADAPT_DORA,       /* the same with each row of W + s B A brought to a learned length */
    TL_ADAPT_IA3,        /* outputs of keys and values, inputs of the second product of a
                            feed-forward part, times a learned vector                       */
    TL_ADAPT_BOTTLENECK, /* y + up(relu(down(y))) after both products that end a sublayer   */
    TL_ADAPT_PREFIX,     /* learned keys and values in front of each text's own, in all
                            attention; its tokens' positions begin behind them              */
    TL_ADAPTS
} tl_adapt_kind;

enum { TL_TARGETS_BYTES = 512 };

typedef struct {
    tl_adapt_kind kind;
    int64_t r;           /* rank, width of the bottleneck, or tokens of the prefix          */
    int64_t from;        /* blocks below this one have none; not of a prefix                */
    double  alpha;       /* s is alpha / r                                                  */
    double  dropout;     /* of what enters A, while training                                */
    bool    rs;          /* s is alpha / sqrt(r)                                            */
    bool    nf4;         /* the body's products, and tables that are only read, lie in four
                            bits (tensor/nf4.h), whatever the kind; not in files            */
    char    targets[TL_TARGETS_BYTES]; /* "all": every product outside the head, or the
                            paper's places; else ends of layer names, "query,*.output.dense",
                            a star for the number of the block                              */
} tl_adapt;

double      tl_adapt_scale(const tl_adapt *a);
const char *tl_adapt_name(tl_adapt_kind kind); /* "none", "lora", "dora", "ia3", "bottleneck",
                                                  "prefix" */
/* Does it stay beside the network?  Bottlenecks and prefixes are no products. */
bool        tl_adapt_stays(tl_adapt_kind kind);
/* Places that the tokens of a prefix take from each text; else 0. */
int64_t     tl_adapt_places(const tl_adapt *a);
/* Does it join the product called `layer`?  PEFT's rule: a target is the whole name or its end
 * behind a dot; and ours, behind a number. */
bool        tl_adapt_targets(const tl_adapt *a, const char *layer);
/* (IA)3 scales what enters this product, not what leaves it. */
bool        tl_adapt_scales_input(const char *layer);
json_t     *tl_adapt_to_json(const tl_adapt *a);
/* NULL or null: none. */
tl_status   tl_adapt_from_json(tl_ctx *ctx, const char *where, const json_t *value,
                               tl_adapt *out);
/* Starts what is not drawn: DoRA's lengths are those of the weight's rows. */
void        tl_adapt_start(const tl_adapt *a, const tl_params *params);
/* Into the weights (and biases) of `merged`, which are copies of those of `params`.  What stays
 * cannot be merged: TL_EUSAGE. */
tl_status   tl_adapt_merge(tl_ctx *ctx, const tl_adapt *a, const tl_params *params,
                           tl_params *merged);
#endif
