/* llama2c_weights.c -- fuzz target: llama2.c's checkpoints, their corpus in
 * corpus/llama2c_weights. */
#include "support/fuzz_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    return fuzz_weights(data, bytes);
}
