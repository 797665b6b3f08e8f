# Words with tags: a folder of CoNLL files inspected, trained, scored again, compared, asked of
# texts; the same from JSONL.
. "$(dirname "$0")/../support/tap.sh"
export TAILOR_THREADS=2

# words FILE N SEED: sentences of a name, a deed and a place.
words() {
    awk -v n="$2" -v seed="$3" 'BEGIN { srand(seed)
        split("anna ben clara david", first); split("stone rivers woods", last)
        split("rome paris oslo", place); split("visited left liked saw", deed)
        for (i = 0; i < n; i++) { print first[1 + int(4 * rand())], "NNP", "B-PER"
            if (rand() < 0.6) print last[1 + int(3 * rand())], "NNP", "I-PER"
            print deed[1 + int(4 * rand())], "VBD", "O"
            if (rand() < 0.3) { print "new NNP B-LOC"; print "york NNP I-LOC" }
            else print place[1 + int(3 * rand())], "NNP", "B-LOC"
            print ". . O"; print "" } }' >"$1"
}
mkdir conll && words conll/train.txt 150 1 && words conll/valid.txt 40 2 && words conll/test.txt 60 3
score() { tr -d '\n ' <"$1" | grep -oE "\"$2\":\{\"(value|mean)\":[0-9.]+" | grep -oE '[0-9.]+$'; }
above() { awk "BEGIN { exit !($(score "$1" "$2") > $3) }"; }

run inspect conll
ok inspect_counts_words_and_texts eval 'is_status 0 && prints " words in 5 classes \(tags\)" && prints "texts       [345] to [567] \(median [0-9]+\) words"'
run inspect conll --json
ok inspect_says_the_task eval 'is_status 0 && prints "\"token-classification\""'
run train conll --arch bert:1x64 --epochs 10 --lr 0.003 --out own --json
cp out train.json
ok scratch_learns eval 'is_status 0 && above train.json test 0.9 && prints "\"metric\": \"entity-f1\""'
ok its_config_is_berts eval 'grep -q BertForTokenClassification own/best/config.json && grep -q "\"B-PER\"" own/best/config.json && ! grep -q problem_type own/best/config.json'
run evaluate own/best conll --json
ok new_process_scores_the_same eval 'is_status 0 && [ "$(score out entity_f1)" = "$(score train.json test)" ] && above out accuracy 0.9'
run evaluate own/best conll
ok evaluate_for_people eval 'is_status 0 && prints "entity F1"'
run train conll --base own/best --route probe --out probe --json
cp out train.json
ok probe_of_the_base eval 'is_status 0 && above train.json test 0.9'
run train conll --base own/best --route lora --epochs 2 --out lora --json
cp out train.json
ok lora_of_the_base eval 'is_status 0 && above train.json test 0.9 && grep -q TOKEN_CLS lora/best/adapter/adapter_config.json'
run train conll --route baseline --out base --json
cp out train.json
ok baseline_knows_the_words eval 'is_status 0 && above train.json test 0.7'
run train conll --label 2 --arch bert:1x64 --epochs 6 --lr 0.003 --out speech --json
ok parts_of_speech_by_accuracy eval 'is_status 0 && prints "\"metric\": \"accuracy\"" && above out test 0.9'

printf 'anna stone visited new york.\n\nben left oslo\n' >lines.txt
run predict own/best lines.txt
ok entities_with_their_bytes eval 'is_status 0 && prints "\"text\":\"anna stone\",\"type\":\"PER\",\"start\":0,\"end\":10" && prints "\"text\":\"new york\",\"type\":\"LOC\",\"start\":19,\"end\":27" && prints "\"input\":\"lines.txt:3\""'
printf '{"tokens":["anna","stone","left","rome"]}\n{"tokens":[]}\n' >lists.jsonl
run predict own/best lists.jsonl
ok lists_of_words eval 'is_status 3 && prints "\"text\":\"anna stone\"" && prints "\"error\":\"no text\""'

awk 'BEGIN { RS = ""; FS = "\n" } { t = g = ""
    for (i = 1; i <= NF; i++) { split($i, f, " "); t = t (i > 1 ? "," : "") "\"" f[1] "\""
        g = g (i > 1 ? "," : "") "\"" f[3] "\"" }
    printf "{\"tokens\":[%s],\"ner_tags\":[%s]}\n", t, g }' conll/test.txt >rows.jsonl
run evaluate own/best rows.jsonl --json
cp out lists.json
run evaluate own/best conll/test.txt --json
ok lists_are_columns eval 'is_status 0 && [ "$(score out entity_f1)" = "$(score lists.json entity_f1)" ]'

run compare conll --base own/best --routes baseline,probe,full --budget 60s --epochs 1 --out duel --json
ok a_comparison_of_entities eval 'is_status 0 && prints "\"metric\": \"entity-f1\"" && prints "\"task\": \"token-classification\""'
ok its_report_is_there [ -s duel/report.html ]
run evaluate duel/best conll --json
number() { tr -d '\n ' <"$1" | grep -oE "\"$2\":[0-9.]+" | head -n 1 | grep -oE '[0-9.]+$'; }
ok best_scores_what_the_verdict_says eval '[ "$(printf %.5f "$(score out entity_f1)")" = "$(printf %.5f "$(tr -d "\n " <duel/verdict.json | grep -oE "\"winner\":\{.*\"test\":[0-9.]+" | grep -oE "\"test\":[0-9.]+" | head -n 1 | grep -oE "[0-9.]+$")")" ]'
printf 'EU B-ORG\nleft O\nit\n' >bad.conll
run train bad.conll
ok odd_lines_are_told fails_with 3 'another number of columns'
