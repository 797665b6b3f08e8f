#!/usr/bin/env bash
# A published ViT's bare .pt, with what is not in the file beside it, scored on MNIST.
. "$(dirname "$0")/../support/tap.sh"
weights=$TAILOR_DATA/weights/vit-mnist/vit_mnist_gpu.pt
if [ ! -f "$weights" ]; then skip vit_mnist_scores_97 "the shared data is absent"; finish; exit; fi
mkdir model mnist
cp "$weights" model/
cp "$TAILOR_DATA"/images/mnist/t10k-* mnist/
cat >model/config.json <<'END'
{"model_type": "vit", "hidden_size": 64, "num_hidden_layers": 6, "num_attention_heads": 4,
 "head_dim": 64, "intermediate_size": 128, "hidden_act": "relu", "layer_norm_eps": 1e-5,
 "qkv_bias": false, "patch_size": 4, "image_size": 28, "num_channels": 1, "num_labels": 10}
END
cat >model/preprocessor_config.json <<'END'
{"do_resize": false, "size": {"height": 28, "width": 28}, "channels": 1,
 "image_mean": [0.1307, 0.1307, 0.1307], "image_std": [0.3081, 0.3081, 0.3081]}
END
run evaluate model mnist --split all --json
ok vit_mnist_scores_97 eval 'is_status 0 && prints "\"rows\": 10000" &&
    tr -d "\n " <out | grep -qE "\"accuracy\":\{\"(value|mean)\":0\.972"'
finish
