# A language model from plain text learns to answer from conversations: its loss on the assistant's
# words falls, it says what it learnt and stops by itself, by each route; what is wrong is told.
. "$(dirname "$0")/../support/tap.sh"
export TAILOR_THREADS=2

awk 'BEGIN { srand(1); split("red green blue black", c); split("ball box tree car dog", t)
    for (i = 0; i < 600; i++) printf "I see %d %s %ss. What is it? ### User: It is a %s %s. ### Assistant: ",
        1 + int(9 * rand()), c[1 + int(4 * rand())], t[1 + int(5 * rand())],
        c[1 + int(4 * rand())], t[1 + int(5 * rand())] }' | fold -s -w 400 >corpus.txt
# talk FORM N: questions whose answer stands in them.
talk() {
    awk -v form="$1" -v n="$2" 'BEGIN { srand(2)
        split("red green blue black", c); split("ball box tree car dog", t)
        for (i = 0; i < n; i++) { a = c[1 + int(4 * rand())]; b = t[1 + int(5 * rand())]
            q = sprintf("I see %d %s %ss. What is it?", 1 + int(9 * rand()), a, b)
            r = sprintf("It is a %s %s.", a, b)
            if (form == "messages") printf "{\"messages\": [{\"role\": \"user\", \"content\": \"%s\"}, {\"role\": \"assistant\", \"content\": \"%s\"}]}\n", q, r
            if (form == "alpaca") printf "{\"instruction\": \"%s\", \"input\": \"\", \"output\": \"%s\"}\n", q, r } }'
}
loss() { tr -d '\n ' <"$1" | grep -oE "\"$2\":\{[^}]*\"loss\":[0-9.]+" | grep -oE '[0-9.]+$'; }
below() { awk "BEGIN { exit !($(loss "$1" "$2") < $3) }"; }

run pretrain corpus.txt --arch gpt2:1x64 --vocab 320 --block 64 --steps 60 --out pre --json
ok a_base_is_made is_status 0
talk messages 240 >chat.jsonl
run train chat.jsonl --base pre/best --epochs 60 --lr 0.003 --out full --json
cp out full.json
ok full_learns_the_answers eval 'is_status 0 && below full.json valid 0.3 && below full.json test 0.3'
ok what_is_asked_is_said eval 'says "conversations \(messages\): [0-9]+ to learn from, [0-9]+ validation, [0-9]+ test; of [0-9]+ tokens the assistant.s [0-9]+ are asked" && says "no chat template"'
ok the_template_goes_with_it eval 'grep -q Assistant full/best/chat_template.jinja'
run chat full/best --prompt 'I see 3 blue cars. What is it?' --temperature 0 --json
ok it_answers_and_stops eval 'is_status 0 && prints "\"output\": \"It is a blue car.\"" && prints "\"finish\": \"stop\""'
run train chat.jsonl --base full/best --route lora --epochs 2 --out lora --json
ok lora_goes_on eval 'is_status 0 && below out valid 0.3 && [ -s lora/best/adapter/adapter_model.safetensors ] && ! says "no chat template" >/dev/null'
run train chat.jsonl --base pre/best --epochs 60 --lr 0.003 --out again --json
ok the_same_command_gives_the_same_bits cmp -s full/best/model.safetensors again/best/model.safetensors

talk alpaca 40 >alpaca.jsonl
printf '{"instruction": "only this"}\n' >>alpaca.jsonl
run train alpaca.jsonl --base pre/best --out x1
ok a_row_without_an_answer_is_told fails_with 3 'alpaca.jsonl:41: no conversation'
run train alpaca.jsonl --base pre/best --skip-bad --epochs 1 --out x2
ok or_left_out_and_counted eval 'is_status 0 && says "conversations \(Alpaca\): [0-9]+ to learn from" && says "1 rows? left out"'
run train chat.jsonl --base pre/best --epochs 1 --out x3 --block 26
ok what_is_cut_is_counted eval 'is_status 0 && says "longer than 26 tokens are cut \([0-9]+ tokens\)"'
run train chat.jsonl --base pre/best --out x4 --block 8
ok no_answer_left_is_told eval 'is_status 3 && says "no conversation of its training part has an answer within 8 tokens"'
run train chat.jsonl --arch mlp
ok without_a_base_is_told fails_with 2 'conversations are for a language model'
run inspect chat.jsonl
ok inspect_says_what_it_is fails_with 2 'holds conversations'
run compare chat.jsonl --base pre/best
ok compare_says_what_it_is fails_with 2 'holds conversations'
finish
