/* llama2c.c -- fuzz target: tokenizer.bin. */
#include "support/fuzz_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_tokenizer("tokenizer.bin", data, bytes);
}
