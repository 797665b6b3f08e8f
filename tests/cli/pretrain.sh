# Language models from plain text: pretrained, gone on with, resumed, and a base for labels.
. "$(dirname "$0")/../support/tap.sh"
export TAILOR_THREADS=2

awk 'BEGIN { srand(3); split("fox goose wolf hen", who); split("ran slept sang", did)
    for (i = 0; i < 1500; i++) printf "the %s %s and the %s %s\n", who[1 + int(4 * rand())],
        did[1 + int(3 * rand())], who[1 + int(4 * rand())], did[1 + int(3 * rand())] }' >tale.txt
value() { tr -d '\n ' <"$1" | grep -oE "\"$2\":\{\"mean\":[0-9.]+" | grep -oE '[0-9.]+$'; }
below() { awk "BEGIN { exit !($1 < $2) }"; }
small='--block 32 --batch-size 8 --lr 0.003'

run pretrain tale.txt --arch gpt2:1x64 --tokenizer chars --steps 60 $small --out chars --json
cp out chars.json
ok learns_characters eval 'is_status 0 && below "$(value chars.json test)" 3.5'
ok says_what_it_writes eval 'grep -q "\"samples\": \[" chars.json && grep -q "\"prompt\": " chars.json'
ok says_what_it_reads eval 'says "text: 1 document, [0-9]+ tokens to learn from, [0-9]+ validation, [0-9]+ test; WordLevel of [0-9]+, blocks of 32"'
ok report_shows_curve_and_samples eval 'grep -q "<polyline class=\"valid\" points=\"[0-9]" chars/report.html && grep -q "What it writes" chars/report.html && ! grep -q "https\?://" chars/report.html'
ok bits_a_byte eval 'grep -q "\"bits_per_byte\": [0-9]" out'
ok best_is_gpt2s eval 'grep -q GPT2LMHeadModel chars/best/config.json && [ -s chars/best/tokenizer.json ] && grep -q "\"language-modelling\"" chars/best/tailor.json && ! grep -q id2label chars/best/config.json'
scored() { tr -d '\n ' <"$1" | grep -oE "\"$2\":\{\"value\":[0-9.]+" | grep -oE '[0-9.]+$'; }
run evaluate chars/best tale.txt --json
ok new_process_scores_the_same_test_part eval 'is_status 0 && grep -q "\"split\": \"test\"" out && [ "$(scored out perplexity)" = "$(value chars.json test)" ]'
head -n 300 tale.txt >some.txt
run evaluate chars/best some.txt
ok other_text_is_scored_whole eval 'is_status 0 && prints "tokens \(all\)" && prints "bits/byte  [0-9.]+"'
run evaluate chars/best some.txt --split valid
ok no_part_of_other_text eval 'is_status 2'
run pretrain tale.txt --arch gpt2:1x64 --tokenizer chars --steps 60 $small --out again --json
ok the_same_command_gives_the_same_bits cmp -s chars/best/model.safetensors again/best/model.safetensors
run pretrain tale.txt --base chars/best --steps 20 $small --out more --json
ok goes_on_from_a_base eval 'is_status 0 && below "$(value out test)" "$(value chars.json test)"'
run pretrain tale.txt --base chars/best --route lora --steps 5 $small --out of-lora --json
ok lora_keeps_its_head eval 'is_status 0 && below "$(value out test)" 3.5'
run pretrain tale.txt --arch llama:1x64 --vocab 300 --steps 5 $small --out llama
ok a_llama_says_its_scores eval 'is_status 0 && prints "loss of a token [0-9.]+ \[[0-9., ]+\], [0-9.]+ bits a byte"'

run pretrain tale.txt --arch bert:1x64 --vocab 300 --steps 60 --whole-words $small --out bert --json
cp out bert.json
ok hidden_words eval 'is_status 0 && below "$(value out test)" 25 && grep -q "\"bits_per_byte\": null" out && grep -q BertForMaskedLM bert/best/config.json'
run evaluate bert/best tale.txt --json
ok hidden_words_are_scored_the_same eval 'is_status 0 && [ "$(scored out perplexity)" = "$(value bert.json test)" ]'
printf 'text,label\n' >labels.csv
for i in $(seq 60); do printf 'the fox ran %d times,yes\nthe hen slept %d times,no\n' "$i" "$i"; done >>labels.csv
run train labels.csv --base bert/best --epochs 1 --out classes --json
ok it_is_a_base_for_labels is_status 0

run pretrain tale.txt --arch gpt2:1x64 --tokenizer chars --steps 60 $small --dry-run
ok dry_run_says_the_network eval 'is_status 0 && prints "gpt2-1x64" && prints "forecast: "'
head -c 3000 tale.txt >held.txt
run pretrain tale.txt --arch gpt2:1x64 --tokenizer chars --steps 2 --valid held.txt $small --out held
ok valid_alone_leaves_no_test eval 'is_status 0 && says "0 test \(none is cut off where --valid is named\)" && ! prints "^  test"'

bad() { run pretrain "${@:3}"; ok "$1" eval "! is_status 0 && says_line 'tailor: .*$2'"; }
says_line() { [ "$(grep -c '^tailor: ' err)" -ge 1 ] && grep -qE "$1" err; }
printf '' >empty.txt; printf 'a\0b\n' >zeros.txt; mkdir nothing
bad no_such_file 'no such file' missing.txt --arch gpt2-tiny
bad no_text 'no text to learn from' empty.txt --arch gpt2-tiny
bad zero_bytes 'zero' zeros.txt --arch gpt2-tiny
bad a_folder_without_texts 'holds no texts' nothing --arch gpt2-tiny
bad no_network 'no network is named' tale.txt
bad pictures_networks 'takes pictures, and the data are none' tale.txt --arch resnet20
bad a_block_too_long 'places' tale.txt --base chars/best --block 64
bad a_tokenizer_beside_a_base 'brings its own vocabulary' tale.txt --base chars/best --tokenizer bpe
bad too_few_tokens_for_the_alphabet 'no room' tale.txt --arch gpt2:1x64 --tokenizer bpe --vocab 20
bad a_route_for_classes 'not for language models' tale.txt --base chars/best --route probe
printf 'a fox' >short.txt
bad too_short_to_cut 'too short' short.txt --arch gpt2-tiny
bad a_column_that_is_not_there 'has no column' labels.csv --text body --arch gpt2-tiny
ok wrong_questions_leave_no_folder eval '[ -z "$(ls tailor-runs 2>/dev/null)" ]'
finish
