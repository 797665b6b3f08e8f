/* gguf_vocab.c -- fuzz target: vocab.gguf. */
#include "support/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_tokenizer("vocab.gguf", data, bytes);
}
