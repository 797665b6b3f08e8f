/* safetensors.c -- fuzz target: weight files, their corpus in corpus/safetensors. */
#include "support/fuzz_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_weights(data, bytes);
}
