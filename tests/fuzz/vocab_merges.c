/* vocab_merges.c -- fuzz target: vocab.json and merges.txt, cut from the input at its first
 * zero byte. */
#include "support/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const uint8_t *cut   = bytes ? memchr(data, 0, bytes) : NULL;
    const size_t   first = cut ? (size_t)(cut - data) : bytes;
    char           path[300];

    fuzz_write("merges.txt", cut ? cut + 1 : data, cut ? bytes - first - 1 : 0, path);
    return fuzz_tokenizer("vocab.json", data, first);
}
