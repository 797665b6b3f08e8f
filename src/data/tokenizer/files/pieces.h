/* pieces.h -- a SentencePiece vocabulary, from whichever file.  Floor 2, data. */
#ifndef TL_DATA_TOKENIZER_PIECES_H
#define TL_DATA_TOKENIZER_PIECES_H
#include "data/tokenizer/files.h"

/* As SentencePiece and GGUF number them. */
typedef enum {
    TL_PIECE_NORMAL = 1,
    TL_PIECE_UNKNOWN,
    TL_PIECE_CONTROL,
    TL_PIECE_USER,
    TL_PIECE_UNUSED,
    TL_PIECE_BYTE
} tl_piece_type;
typedef struct {
    tl_string text;
    float    score;
    uint8_t  type;
} tl_scored; /* text borrowed */
typedef struct {
    tl_scored *at;
    size_t     count, room;
    bool       unigram;  /* else BPE by score                                        */
    bool       fallback; /* has byte pieces                                          */
    bool       prefix;   /* a blank is put in front                                  */
    bool       squeeze;  /* blanks at the ends go, others become one                 */
    tl_string   charsmap; /* bytes 0: none                                            */
    int64_t unk, bos, eos, pad; /* ids, -1: none                                        */
    bool    add_bos, add_eos;
} tl_pieces_file;

tl_status tl_scored_add(tl_ctx *ctx, tl_pieces_file *f, tl_scored piece);
/* The model and all around it. */
tl_status tl_pieces_load(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                         tl_tokenizer *t);
/* Control and user-defined pieces as added tokens; roles from the ids. */
tl_status tl_pieces_added(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                          tl_tokenizer *t);
/* Template with bos and eos as the file asks. */
tl_status tl_pieces_frame(tl_ctx *ctx, const char *where, const tl_pieces_file *f,
                          tl_tokenizer *t);
#endif
