/* vocab_txt.c -- fuzz target: vocab.txt. */
#include "support/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_tokenizer("vocab.txt", data, bytes);
}
