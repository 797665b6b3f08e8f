/* inside.h -- what the files of this room share: components and their records, the tokenizer,
 * the encoder.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_INSIDE_H
#define TL_DATA_TOKENIZER_INSIDE_H
#include "core/json.h"
#include "data/tokenizer/lined.h"
#include "data/tokenizer/regex.h"
#include "data/tokenizer/trie.h"
#include "data/tokenizer/vocab.h"

/* A model's answer: a token and the bytes of the word that it covers. */
typedef struct {
    int32_t  id;
    uint32_t from, to;
} tl_part_of;

/* --- components: normalizers, pre-tokenizers, decoders.  `self` is the record's own. */
typedef struct tl_strings tl_strings;
typedef struct tl_steps   tl_steps;
typedef struct tl_component {
    const char *name, *doc;
    size_t      self_bytes;
    /* A name for several steps: adds them, and the rest of the record is empty. */
    tl_status (*expand)(tl_ctx *ctx, const char *where, const json_t *spec,
                        tl_steps *steps);
    tl_status (*load)(tl_ctx *ctx, const char *where, const json_t *spec, void *self);
    void (*free)(tl_ctx *ctx, void *self); /* NULL: nothing inside                */
    /* Does all that is to be done without a byte more or less, or false: then rewrite is
     * called for every piece.  NULL where it never applies. */
    bool (*in_place)(const void *self, char *text, size_t bytes);
    /* Appends what becomes of bytes [start, end) of e->text to e->next. */
    tl_status (*rewrite)(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                         size_t end);
    /* Appends the pieces of bytes [start, end) of e->text to e->cut.  NULL: stays whole. */
    tl_status (*split)(tl_ctx *ctx, tl_encoder *e, const void *self, size_t start,
                       size_t end);
    tl_status (*decode)(tl_ctx *ctx, const void *self, tl_strings *s);
} tl_component;
typedef struct {
    const tl_component *kind;
    void               *self;
} tl_step;
struct tl_steps {
    tl_step *at;
    size_t   count;
};

/* --- models: a word into tokens */
typedef struct tl_model_kind {
    const char *name, *doc;
    size_t      self_bytes;
    tl_status (*load)(tl_ctx *ctx, const char *where, const json_t *spec,
                      tl_tokenizer *t);
    void (*free)(tl_ctx *ctx, void *self);
    /* Appends to e->answer; `text` is one piece, never empty. */
    tl_status (*word)(tl_ctx *ctx, tl_encoder *e, const void *self, const char *text,
                      size_t bytes);
    size_t scratch_bytes; /* what an encoder keeps for it        */
    void (*scratch_free)(tl_ctx *ctx, void *scratch);
} tl_model_kind;

/* --- post-processors fill in a frame */
typedef struct {
    int32_t token;
    uint8_t part;
    char    text;
} tl_slot; /* text: 'A', 'B', 0: token */
typedef struct {
    tl_slot *at;
    size_t   count;
} tl_template;
typedef struct {
    bool trim;        /* blanks at a token's ends do not count into its span          */
    bool trim_prefix; /* but for one that add_prefix_space put in                    */
    tl_template single, pair;
} tl_frame;
typedef struct {
    const char *name, *doc;
    tl_status (*load)(tl_ctx *ctx, const char *where, const json_t *spec,
                      tl_tokenizer *t);
} tl_framer;

typedef struct {
    char
        *content; /* as written                                                         */
    size_t  bytes;
    int32_t id;
    bool    single_word, lstrip, rstrip, normalized, special;
} tl_added;

typedef enum { TL_LONGEST_FIRST, TL_ONLY_FIRST, TL_ONLY_SECOND } tl_cut_rule;

struct tl_tokenizer {
    tl_vocab vocab;      /* of the model                                                */
    tl_vocab added_text; /* of added tokens, ids as theirs                              */
    tl_added *added;
    size_t    addeds;
    int32_t  *added_of; /* [size] index into added, or -1                              */
    tl_trie  raw, normalized; /* added tokens found in the user's, the normalized text  */
    tl_steps normalizer, pre_tokenizer, decoder;
    const tl_model_kind *model;
    void                *model_self;
    tl_frame             frame;
    uint8_t *blanks; /* [2 size] blanks at a token's beginning and end; if frame.trim */
    int64_t  most;   /* truncation; 0: none                                         */
    tl_cut_rule cut_rule;
    bool        cut_left;
    bool     byte_words; /* the last step's byte alphabet is put on per unknown word    */
    int32_t  size;
    int32_t  role[8]; /* by tl_role_name                                             */
    char     hash[65];
    tl_hash *hashing; /* while files are read                                        */
};
extern const char
    *const tl_role_name[8]; /* bos eos unk sep pad cls mask, NULL             */

typedef struct tl_words tl_words;
struct tl_encoder {
    const tl_tokenizer *t;
    tl_lined            text, next;
    tl_pieces           piece, cut;
    tl_segment         *segment;
    size_t              segments, segment_room;
    tl_change          *change;
    size_t              changes, change_room;
    tl_part_of         *answer;
    size_t              answers, answer_room;
    char       *mapped; /* a word in the byte alphabet                                 */
    size_t      mapped_room;
    tl_matcher *matcher;
    tl_words   *cache;
    void       *scratch; /* the model's                                                 */
    tl_tokens   part[2]; /* the two texts before they are framed                        */
};

/* The user's text as e->piece of e->text, what the model reads one by one. */
tl_status tl_pieces_of(tl_ctx *ctx, tl_encoder *e, tl_string text);
/* encoder */
tl_status tl_cut_add(tl_ctx *ctx, tl_encoder *e, size_t start, size_t end, int32_t token);
tl_status tl_segment_add(tl_ctx *ctx, tl_encoder *e, size_t start, size_t end,
                         bool match);
tl_status tl_change_add(tl_ctx *ctx, tl_encoder *e, uint32_t c, int32_t change);
tl_status tl_answer_add(tl_ctx *ctx, tl_encoder *e, int32_t id, size_t from, size_t to);
tl_status tl_steps_rewrite(tl_ctx *ctx, tl_encoder *e, const tl_step *step);
tl_status tl_steps_split(tl_ctx *ctx, tl_encoder *e, const tl_step *step);
/* Cuts every piece of e->text that is text at the added tokens of `trie`. */
tl_status tl_added_split(tl_ctx *ctx, tl_encoder *e, const tl_trie *trie);
/* The tries and the table by id, once all added tokens and steps are there. */
tl_status tl_added_ready(tl_ctx *ctx, tl_tokenizer *t);
tl_status tl_added_put(tl_ctx *ctx, const char *where, tl_tokenizer *t, tl_string content,
                       tl_added as);
/* Appends one word's tokens to e->answer, remembered from earlier where possible. */
tl_status tl_word(tl_ctx *ctx, tl_encoder *e, const char *text, size_t bytes);

tl_status tl_words_new(tl_ctx *ctx, tl_words **out);
void      tl_words_free(tl_ctx *ctx, tl_words *c);
bool      tl_words_get(const tl_words *c, const char *text, size_t bytes,
                       const tl_part_of **parts, size_t *count);
void tl_words_put(tl_words *c, const char *text, size_t bytes, const tl_part_of *parts,
                  size_t count);

/* tokens */
tl_status tl_tokens_add(tl_ctx *ctx, tl_tokens *to, int32_t id, tl_extent span,
                        bool special, uint8_t part);
/* e->part cut and framed; `a` and `b` are the texts they are of. */
tl_status tl_frame_tokens(tl_ctx *ctx, tl_encoder *e, tl_string a, tl_string b,
                          tl_encode_options options, tl_tokens *out);

/* loading: the lists */
typedef enum { TL_NORMALIZER, TL_PRE_TOKENIZER, TL_DECODER } tl_step_list;
const tl_component *tl_component_at(tl_step_list list, size_t i); /* NULL past the end */
/* A component's JSON, "Sequence" taken apart; null adds nothing. */
tl_status tl_steps_load(tl_ctx *ctx, const char *where, tl_step_list list,
                        const json_t *spec, tl_steps *steps);
tl_status tl_steps_parse(tl_ctx *ctx, const char *where, tl_step_list list,
                         const char *json, tl_steps *steps);
tl_status tl_steps_add(tl_ctx *ctx, const char *where, const tl_component *kind,
                       const json_t *spec, tl_steps *steps);
void      tl_steps_free(tl_ctx *ctx, tl_steps *steps);
tl_status tl_model_load(tl_ctx *ctx, const char *where, const json_t *spec,
                        tl_tokenizer *t);
tl_status tl_frame_load(tl_ctx *ctx, const char *where, const json_t *spec,
                        tl_tokenizer *t);
tl_status tl_tokenizer_ready(tl_ctx *ctx, const char *where, tl_tokenizer *t);
/* {"token": id, ...} */
tl_status tl_vocab_load(tl_ctx *ctx, const char *where, const json_t *spec, tl_vocab *v);
/* The model's own memory, set before its fields are filled. */
tl_status tl_model_take(tl_ctx *ctx, tl_tokenizer *t, const tl_model_kind *kind,
                        void *self);

/* Splitting by a pattern (split.c). */
typedef enum {
    TL_REMOVED,
    TL_ISOLATED,
    TL_WITH_PREVIOUS,
    TL_WITH_NEXT,
    TL_CONTIGUOUS
} tl_behaviour;
typedef struct {
    char     *literal;
    size_t    bytes;
    tl_regex *regex;
} tl_pattern;
tl_status tl_pattern_load(tl_ctx *ctx, const char *where, const json_t *spec,
                          tl_pattern *out);
void      tl_pattern_free(tl_ctx *ctx, tl_pattern *p);
/* Sets e->segment to the matches of text[0, bytes) and what lies between. */
tl_status tl_pattern_segments(tl_ctx *ctx, tl_encoder *e, const tl_pattern *p,
                              const char *text, size_t bytes);
typedef bool (*tl_char_test)(uint32_t c);
tl_status tl_char_segments(tl_ctx *ctx, tl_encoder *e, tl_char_test test,
                           const char *text, size_t bytes);
tl_status tl_behaviour_load(tl_ctx *ctx, const char *where, const json_t *spec,
                            const char *key, tl_behaviour fallback, tl_behaviour *out);
/* Cuts the piece at `start` by e->segment (places within the piece). */
tl_status tl_segments_cut(tl_ctx *ctx, tl_encoder *e, size_t start,
                          tl_behaviour behaviour, bool invert);

/* Strings that decoders rewrite one after the other. */
struct tl_strings {
    tl_text  text, next;   /* the strings, what becomes of them                         */
    tl_extent *at, *next_at; /* where each lies                                           */
    size_t   count, room, next_count, next_room;
    tl_matcher *matcher; /* made by the first that needs it                           */
};
/* The i-th string; and another one for the next round. */
tl_string  tl_strings_at(const tl_strings *s, size_t i);
tl_status tl_strings_add(tl_ctx *ctx, tl_strings *s, const char *text, size_t bytes);
/* The text of every string with all matches replaced. */
tl_status tl_replace_all(tl_ctx *ctx, tl_strings *s, const tl_pattern *p, tl_string by,
                         tl_string text, tl_text *out);

/* Text of a JSON key, copied; absent or null: NULL and 0. */
tl_status tl_json_copy(tl_ctx *ctx, const json_t *object, const char *key, char **out,
                       size_t *bytes);

/* The byte alphabet of GPT-2: 256 characters that stand for bytes. */
uint32_t tl_byte_char(uint8_t byte);
int      tl_char_byte(uint32_t c); /* or -1 */
/* text in the byte alphabet: at most 2 bytes for one; returns how many. */
size_t tl_bytes_map(const char *text, size_t bytes, char *out);
#endif
