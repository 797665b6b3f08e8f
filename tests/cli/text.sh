# Texts: inspected, compared with a baseline, trained from scratch, and from the model that made as
# a base; scored again, predicted from files and from lines.
. "$(dirname "$0")/../support/tap.sh"
export TAILOR_THREADS=2

# rows FILE N SEED: reviews whose words say the class, in one of three ways each.
rows() {
    awk -v n="$2" -v seed="$3" 'BEGIN { srand(seed); print "text,label"
        split("fine lovely brilliant", good); split("dull awful tedious", bad)
        split("film story book song", what); split("today yesterday again", when)
        for (i = 0; i < n; i++) { p = int(2 * rand())
            w = p ? good[1 + int(3 * rand())] : bad[1 + int(3 * rand())]
            printf "\"number %d was a %s %s, seen %s\",%s\n", i, w, what[1 + int(4 * rand())],
                when[1 + int(3 * rand())], p ? "good" : "bad" } }' >"$1"
}
mkdir data && rows data/train.csv 400 1 && rows data/test.csv 200 2
accuracy() { tr -d '\n ' <"$1" | grep -oE "\"$2\":\{\"(value|mean)\":[0-9.]+" | grep -oE '[0-9.]+$'; }
above() { awk "BEGIN { exit !($(accuracy "$1" "$2") > $3) }"; }

run inspect data
ok inspect_says_texts eval 'is_status 0 && prints "600 texts in 2 classes" && prints "  text        text \(by their names\)" && prints "  label       label"'
run inspect data --json
ok inspect_as_json eval 'is_status 0 && prints "\"text-classification\"" && prints "\"characters\""'
run train data --route baseline --out base --json
cp out train.json
ok baseline_learns_the_words eval 'is_status 0 && above train.json test 0.99 && says "text: text; label: label"'
run evaluate base/best data --json
ok baseline_scores_the_same eval 'is_status 0 && [ "$(accuracy out accuracy)" = "$(accuracy train.json test)" ]'

run train data --arch bert:1x64 --epochs 12 --lr 0.002 --out scratch --json
cp out train.json
ok scratch_learns eval 'is_status 0 && above train.json test 0.9'
ok scratch_writes_its_tokenizer eval '[ -s scratch/best/tokenizer.json ] && [ -s scratch/best/tokenizer_config.json ] && [ ! -e scratch/best/preprocessor_config.json ]'
ok its_config_is_berts eval 'grep -q BertForSequenceClassification scratch/best/config.json'
run evaluate scratch/best data --json
ok new_process_scores_the_same eval 'is_status 0 && [ "$(accuracy out accuracy)" = "$(accuracy train.json test)" ]'
run train data --arch bert:1x64 --epochs 12 --lr 0.002 --out again --json
ok the_same_command_gives_the_same_bits cmp -s scratch/best/model.safetensors again/best/model.safetensors
for route in probe full lp-ft partial; do
    run train data --base scratch/best --route $route --epochs 1 --out "of-$route" --json
    cp out train.json
    ok "${route}_from_the_base" eval 'is_status 0 && above train.json test 0.9'
done
run train data --base scratch/best --route baseline --out of-near --json
cp out train.json
ok neighbours_from_the_base eval 'is_status 0 && above train.json test 0.9 && grep -q "\"base\": \"scratch/best\"" train.json && grep -q text-knn of-near/best/tailor.json'
run evaluate of-near/best data --json
ok neighbours_score_the_same eval 'is_status 0 && [ "$(accuracy out accuracy)" = "$(accuracy train.json test)" ]'
run train data --base scratch/best --route baseline --out of-near-again --json
ok neighbours_have_the_same_bits cmp -s of-near/best/model.safetensors of-near-again/best/model.safetensors
run train data --base of-near/best --route full --epochs 1 --out on-near --json
ok their_network_is_a_base eval 'is_status 0 && above out test 0.9'
run update of-near/best --data data --out no
ok neighbours_are_not_updated fails_with 2 'cannot go on learning'
run train data --arch roberta:1x64 --epochs 6 --lr 0.002 --out deep --json
run train data --base deep/best --route probe --out of-deep --json
cp out train.json
ok probe_of_a_head_with_two_layers eval 'is_status 0 && above train.json test 0.9'
run evaluate of-deep/best data --json
ok deep_head_scores_the_same eval 'is_status 0 && [ "$(accuracy out accuracy)" = "$(accuracy train.json test)" ]'
run train data --arch gpt2:1x64 --epochs 8 --lr 0.002 --out causal --json
ok a_decoder_learns eval 'is_status 0 && above out test 0.9'
run train data --base causal/best --route probe
ok a_head_without_a_bias_is_told fails_with 2 'a linear layer with a bias'
run train data --base scratch/best --route continue --epochs 2 --set pretrain_epochs=1 --out on --json
ok continue_from_the_base eval 'is_status 0 && above out test 0.9'
run train data --base scratch/best --route qlora --epochs 2 --lr 0.005 --out of-qlora --json
ok qlora_from_the_base eval 'is_status 0 && above out test 0.9 && [ -s of-qlora/best/adapter/adapter_model.safetensors ]'
run predict of-qlora/best data/train.csv
ok its_best_is_an_ordinary_model is_status 0

printf 'text\na lovely story\nan awful song\n' >new.csv
run predict of-full/best new.csv
ok predict_rows eval 'is_status 0 && prints "^\{\"input\":\"new.csv:2\",\"label\":\"good\"" && prints "^\{\"input\":\"new.csv:3\",\"label\":\"bad\""'
printf 'a lovely story\nan awful song\n' | "$TAILOR" predict of-full/best - >out 2>err; status=$?
ok predict_lines eval 'is_status 0 && prints "^\{\"input\":\"a lovely story\",\"label\":\"good\"" && [ "$(wc -l <out)" -eq 2 ]'
run predict of-near/best new.csv
ok neighbours_predict eval 'is_status 0 && prints "^\{\"input\":\"new.csv:2\",\"label\":\"good\"" && prints "^\{\"input\":\"new.csv:3\",\"label\":\"bad\""'
run predict of-full/best new.csv --embed
ok predict_embeds eval 'is_status 0 && prints "^\{\"input\":\"new.csv:2\",\"embedding\":\[-?[0-9]" && [ "$(wc -l <out)" -eq 2 ]'
run predict of-full/best new.csv --npy vectors.npy --pooling cls --normalize
ok predict_writes_numpys_array eval 'is_status 0 && [ ! -s out ] && head -c 80 vectors.npy | grep -aq "NUMPY.*<f4.*(2, 64)" && [ "$(wc -c <vectors.npy)" -eq $((128 + 2 * 64 * 4)) ]'
run predict of-full/best new.csv --pooling cls
ok pooling_is_about_vectors eval 'is_status 2 && says "--pooling: is about vectors"'
run train data --base scratch/best --route lora --epochs 2 --lr 0.005 --out of-lora --json
cp out train.json
ok lora_from_the_base eval 'is_status 0 && above train.json test 0.9 && [ -s of-lora/best/adapter/adapter_model.safetensors ]'
run predict of-lora/best new.csv
cp out merged
run predict of-lora/best/adapter new.csv
ok its_adapter_is_a_base_of_the_same_answers eval 'is_status 0 && cmp -s out merged'
printf '{"text": "a lovely story"}\n{"text": ""}\n' >new.jsonl
run predict base/best new.jsonl
ok predict_says_where_no_text_is eval 'is_status 3 && prints "new.jsonl:1\",\"label\":\"good\"" && prints "new.jsonl:2\",\"error\":\"no text\""'
run predict of-full/best data/nothing.csv
ok predict_missing_file is_status 3

awk -F'"' 'NR > 1 { sub(",", "", $3); printf "{\"what\": \"%s\", \"label\": \"%s\"}\n", $2, $3 }' data/train.csv >rows.jsonl
run train rows.jsonl --route baseline --text what --out lines --json
ok json_lines_with_a_named_column eval 'is_status 0 && above out valid 0.9'
run train rows.jsonl --route baseline --text nothing
ok a_missing_column_is_told fails_with 2 'no column "nothing"'
run compare data --base scratch/best --routes baseline,probe,full --budget 60s --seeds 2 --out cmp --json
ok both_baselines_took_part eval 'says "baseline, seed 1:" && says "baseline from best, seed 1:" && [ "$(grep -c "\"route\": \"baseline\"" cmp/verdict.json)" -ge 2 ]'
ok compare_ends_in_a_verdict eval 'is_status 0 && [ -s cmp/report.html ] && [ -s cmp/best/model.safetensors ] && prints "\"task\": \"text-classification\""'
run evaluate cmp/best data --json
ok best_is_scored_again eval 'is_status 0 && above out accuracy 0.9'
rm scratch/best/tokenizer.json
run train data --base scratch/best --route full
ok a_base_without_a_tokenizer_is_told fails_with 3 'no tokenizer'
finish
